"use strict";
// Shows the plot that the device draws, and saves the counts as a file.

const REFRESH_MS = 60000;

const plot = document.querySelector("#plot");

async function show() {
  const answer = await told(() => request(`/today/plot?language=${document.documentElement.lang}`));
  if (!answer) return false;
  said.textContent = answer.ok ? "" : said.dataset.gone;
  if (answer.ok) plot.innerHTML = await answer.text();
  return answer.ok;
}

async function open() {
  if (!(await show()) || !opened.hidden) return; // asked twice, it opens once
  showOpened();
  setInterval(show, REFRESH_MS);
}

document.querySelector("#export").addEventListener("click", async () => {
  const answer = await told(() => request("/today/counts.csv"));
  if (!answer?.ok) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = "counts.csv";
  link.click();
  URL.revokeObjectURL(link.href);
});
enter(open);
