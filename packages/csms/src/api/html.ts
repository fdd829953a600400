/** Makes text safe between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** A whole page in the server's plain look; `body` is HTML that is already safe. */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<link rel="stylesheet" href="/page.css">
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

/** Style of the server's own pages; served as `/page.css` because the content security policy allows no inline style. */
export const PAGE_CSS = `:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0; }
main { max-width: 44rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: 0.25rem 1.5rem 0.25rem 0; font-weight: inherit; }
td { font-variant-numeric: tabular-nums; }
label { display: block; margin-top: 1rem; }
input { font: inherit; padding: 0.4rem; width: 100%; max-width: 30rem; box-sizing: border-box; }
button { font: inherit; padding: 0.4rem 1rem; margin-top: 1rem; }
code, output { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
`;
