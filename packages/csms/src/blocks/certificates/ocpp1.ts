import type { Ocpp16, Ocpp21 } from "@polyphase/ocpp";
import type { CommandRegistry } from "../../gateway/commands.ts";
import {
  CommandNotSupportedError,
  type StationCalls,
  type StationMessageRoutes,
} from "../../gateway/station-messages.ts";

/** Root certificates that the security extension of 1.6 knows (whitepaper §5.3). */
const uses = {
  CSMSRootCertificate: "CentralSystemRootCertificate",
  ManufacturerRootCertificate: "ManufacturerRootCertificate",
} as const satisfies { readonly [Use in Ocpp21.GetCertificateIdUseEnumType]?: Ocpp16.CertificateUseEnumType };

type SharedUse = keyof typeof uses;

const isShared = (use: string): use is SharedUse => Object.hasOwn(uses, use);

/** Registers SignCertificate of family 1 (whitepaper A02): there is no certificate authority here that could sign. */
export function registerFamily1(routes: StationMessageRoutes): void {
  routes.on1("SignCertificate", () => ({ status: "Rejected" }));
}

/** Translates the certificate commands for stations of 1.6 with the security extension (whitepaper A02, A05, M03 to M05). */
export function translateFamily1(commands: CommandRegistry, calls: StationCalls): void {
  commands.translate("InstallCertificate", async (stationId, { certificateType, certificate }, options) => {
    if (!isShared(certificateType)) {
      throw new CommandNotSupportedError(stationId, "installCertificate", `OCPP 1.6 has no ${certificateType}`);
    }
    return calls.call1(
      stationId,
      "InstallCertificate",
      { certificateType: uses[certificateType], certificate },
      options,
    );
  });

  commands.translate("DeleteCertificate", async (stationId, { certificateHashData }, options) => {
    const { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber } = certificateHashData;
    const hash = { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber };
    return calls.call1(stationId, "DeleteCertificate", { certificateHashData: hash }, options);
  });

  commands.translate("CertificateSigned", async (stationId, { certificateChain, certificateType }, options) => {
    if ((certificateType ?? "ChargingStationCertificate") !== "ChargingStationCertificate") {
      throw new CommandNotSupportedError(stationId, "certificateSigned", `OCPP 1.6 has no ${certificateType}`);
    }
    return calls.call1(stationId, "CertificateSigned", { certificateChain }, options);
  });

  commands.translate("GetInstalledCertificateIds", async (stationId, { certificateType }, options) => {
    // 1.6 asks for one kind at a time; leaving it out asks for all (M03.FR.04).
    const wanted = (certificateType ?? Object.keys(uses)).filter(isShared);
    const chains: Ocpp21.CertificateHashDataChainType[] = [];
    for (const use of wanted) {
      const payload = { certificateType: uses[use] };
      const { certificateHashData } = await calls.call1(stationId, "GetInstalledCertificateIds", payload, options);
      for (const hash of certificateHashData ?? []) chains.push({ certificateType: use, certificateHashData: hash });
    }
    return chains.length === 0 ? { status: "NotFound" } : { status: "Accepted", certificateHashDataChain: chains };
  });
}
