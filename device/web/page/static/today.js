"use strict";
// Shows the plot that the device draws, and saves the counts as a file.

const REFRESH_MS = 60000;

const plot = document.querySelector("#plot");

async function counts(path) {
  const answer = await request(path);
  if (!answer.ok) throw new Error(said.dataset.unreadable);
  return answer;
}

async function show() {
  const answer = await told(() => counts(`/today/plot?language=${document.documentElement.lang}`));
  if (!answer) return false;
  said.textContent = "";
  plot.innerHTML = await answer.text();
  return true;
}

async function open() {
  if (!(await show()) || !opened.hidden) return; // asked twice, it opens once
  showOpened();
  setInterval(show, REFRESH_MS);
}

document.querySelector("#export").addEventListener("click", async () => {
  const answer = await told(() => counts("/today/counts.csv"));
  if (!answer) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = "counts.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), REFRESH_MS); // some browsers take it only after the click
});
enter(open);
