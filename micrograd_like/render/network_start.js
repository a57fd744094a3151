// The page's data are packed: its script, the text of "main", runs once they are unpacked.
let packed;
async function start() {
  const bytes = Uint8Array.from(atob(document.getElementById("packed").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  packed = JSON.parse(await new Response(stream).text());
  const script = document.createElement("script");
  script.textContent = document.getElementById("main").textContent;
  document.body.append(script);
}
start().catch((error) => {
  document.getElementById("said").textContent = `This page needs a browser of 2023 or later: ${error.message}`;
});
