import type { X509Certificate } from "node:crypto";
import type { CertificateSubject } from "./station-authentication.ts";

/** The names in a certificate's subject that identify a station; undefined when it has no common name. */
export function certificateSubject(certificate: X509Certificate): CertificateSubject | undefined {
  // Node separates the parts by line feeds and escapes those within a value.
  const parts = certificate.subject.split("\n").map((text) => text.split("="));
  const part = (type: string) =>
    parts
      .find(([name]) => name === type)
      ?.slice(1)
      .join("=");
  const commonName = part("CN");
  return commonName === undefined ? undefined : { commonName, organization: part("O") ?? "" };
}
