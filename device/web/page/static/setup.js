"use strict";
// Asks the device for its picture and its last minute, and what other values would make of it.

const PICTURE_MS = 400;
const MINUTE_MS = 1000;
const TURNED = " The zones still fit the picture as it was: draw them again after the restart.";
const LEFT = "There are changes that aren't saved. Start the kiosk again without them?";
const UNSAVED = "The kiosk was started without a kiosk.toml: values can be tried, but not saved. To save, start it with make run CONFIG=FILE, or with --config FILE.";
const UPDATED = "The kiosk was updated, and this page is an old one. Save your changes, or note them and reload the page.";
const FAILED = "The kiosk didn't do it. Its log may say why (journalctl -u mask-kiosk).";

const grey = document.querySelector("#grey");
const tested = document.querySelector("#tested");
const image = document.querySelector("figure img");
const { gone, ended } = said.dataset;
let minute = null;
let asking = false; // for the last minute
let again = false; // once that is drawn
let saves = 0; // how many were answered: what was asked for before is old

async function ask(path, body) {
  const answer = await request(`/setup/${path}`, body);
  if (answer.status === 400) throw new Refused(named((await answer.json()).error));
  if (!answer.ok) throw new Refused(FAILED);
  return answer.json();
}

function offerRestart() {
  document.querySelector("#waiting").hidden = !minute.waiting;
  document.querySelector("#restart").hidden = !minute.restarts;
  document.querySelector("#byhand").hidden = minute.restarts;
}

// One request after the other, however often it is asked for: a key that is held shall not keep the device busy.
async function lastMinute() {
  again = true;
  if (asking) return;
  asking = true;
  while (again) {
    again = false;
    await drawLastMinute();
  }
  asking = false;
}

async function drawLastMinute() {
  const before = saves;
  const found = await told(() => ask("minute"));
  if (before !== saves) return;
  if (found && found.version !== minute.version) {
    if (Object.keys(changes()).length) say(said, UPDATED);
    else location.hash = token; // loads anew what another version has started with
    return;
  }
  if (found) {
    minute = found;
    takeOver();
    document.querySelector("#values button").disabled = !minute.config;
    say(said, minute.config ? "" : UNSAVED); // what was said of a device that is back is over
  }
  const refused = {};
  const tried = Object.keys(changes()).length ? await told(() => ask("try", changes()), refused) : null;
  if (before !== saves) return;
  if (refused.textContent && !again) say(saved, refused.textContent);
  imply(tried);
  const rows = [["values in use", minute.states], ["values below", (tried ?? minute).states]];
  say(grey, minute.grey.length ? `Grey, from the left: ${minute.grey.join("; ")}.` : "");
  drawMinute(Object.entries((tried ?? minute).model), minute.scores, rows);
  listSeconds(rows.map(([, states]) => states));
  offerRestart();
}

// Hears whether a recording has ended, after which nothing answers any more.
function listen() {
  if (document.hidden) return setTimeout(listen, MINUTE_MS);
  const states = new WebSocket(`${location.origin.replace("http", "ws")}/state`);
  states.onmessage = ({ data }) => (said.dataset.gone = JSON.parse(data).look === "ENDED" ? ended : gone);
  states.onclose = () => setTimeout(listen, MINUTE_MS);
}

async function preview() {
  const jpeg = await told(async () => {
    const answer = await request("/setup/picture");
    return answer.ok ? answer.blob() : null; // there is none before the first frame
  });
  if (!jpeg) return;
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(jpeg);
}

// One request at a time, however slow the device is.
async function often(action, ms) {
  if (!document.hidden) await action();
  setTimeout(() => often(action, ms), ms);
}

async function open() {
  const found = await told(() => ask("minute"));
  if (!found || !opened.hidden) return; // asked twice, it opens once
  minute = found;
  showOpened();
  fields();
  often(() => asking || lastMinute(), MINUTE_MS); // `again` is for what was changed: a slow device shall have its rest
  often(preview, PICTURE_MS);
  listen();
}

// A turned picture is high: all of it shall be seen at once, and the zones lie upon it.
image.addEventListener("load", () => image.parentElement.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight));
for (const place of [values, layer]) {
  place.addEventListener("input", ({ target }) => {
    typed ||= target.name === "release";
    said.textContent = saved.textContent = "";
    lastMinute();
  });
}
values.addEventListener("submit", async (event) => {
  event.preventDefault();
  saved.textContent = "Saving…";
  const posted = changes();
  const done = await told(() => ask("save", posted), saved);
  if (!done) return;
  saves += 1;
  remember(posted);
  minute.waiting = done.waiting;
  offerRestart();
  const since = Object.keys(changes()).length ? ", except what was changed since" : "";
  const turned = ["rotation", "mirror"].some((key) => key in (posted.camera ?? {})) && zonesNow().length;
  saved.textContent = `Saved in ${done.saved}${since}.${turned ? TURNED : ""}`;
  lastMinute();
});
document.querySelector("#restart").addEventListener("click", async () => {
  if (Object.keys(changes()).length && !confirm(LEFT)) return;
  if (!(await told(() => ask("restart", {}), saved))) return;
  saved.textContent = "The kiosk starts again. It prints a new token, unless kiosk.toml holds one: journalctl -u mask-kiosk";
});
document.querySelector("#test").addEventListener("click", async () => {
  tested.textContent = "";
  const done = await told(() => ask("test", {}), tested);
  if (done) tested.textContent = done.shown;
});
enter(open);
