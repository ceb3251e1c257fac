"use strict";
// Asks the device for its picture and its last minute, and what other values would make of it.

const PICTURE_MS = 400;
const MINUTE_MS = 1000;
const UNSAVED = "Started without a kiosk.toml: values can be tried, not saved. Start it by make run CONFIG=FILE, or with --config FILE.";

const values = document.querySelector("#values");
const saved = document.querySelector("#saved");
const grey = document.querySelector("#grey");
const tested = document.querySelector("#tested");
const image = document.querySelector("figure img");
const { gone, ended } = said.dataset;
let minute = null;
let asked = 0; // how often the last minute was: an answer that a later one has overtaken is old
const changed = new Map(); // input to its value as the device has it
let zonesBefore = "[]";

async function ask(path, body) {
  const answer = await request(`/setup/${path}`, body);
  if (answer.headers.get("Content-Type") === "image/jpeg") return answer.blob();
  return answer.ok ? answer.json() : null;
}

const TITLES = { model: "Levels", decision: "Times and sizes", signals: "Sounds", screen: "Screen", camera: "Camera" };

// The input that a value of this kind is typed into.
function control(key, value) {
  const choice = document.createElement(key === "language" ? "select" : "input");
  if (key === "language") choice.append(...minute.languages.map((code) => new Option(code)));
  if (typeof value === "boolean") choice.type = "checkbox";
  else if (typeof value === "number") Object.assign(choice, { type: "number", step: "any", required: true });
  else choice.required = true;
  show(choice, shown(value));
  return choice;
}

function shown(value) {
  return typeof value === "number" ? Number(value.toFixed(3)) : value;
}

function show(input, value) {
  if (input.type === "checkbox") input.checked = value;
  else input.value = value;
  changed.set(input, value);
}

function valueOf(input) {
  if (input.type === "checkbox") return input.checked;
  return input.type === "number" && input.value !== "" ? Number(input.value) : input.value;
}

function fields() {
  for (const [section, title] of Object.entries(TITLES)) {
    const set = document.createElement("fieldset");
    const legend = document.createElement("legend");
    legend.textContent = title;
    set.append(legend);
    for (const [key, value] of Object.entries(minute[section])) {
      if (key === "zones") continue; // drawn, not typed
      const [label, help, field] = ["label", "p", "div"].map((kind) => document.createElement(kind));
      const input = control(key, value);
      input.id = label.htmlFor = `${section}-${key}`;
      help.id = `${input.id}-help`;
      help.textContent = HELP[section][key];
      input.setAttribute("aria-describedby", help.id);
      input.name = key;
      label.textContent = key.replace(/_seconds$/, ", seconds").replaceAll("_", " ");
      input.dataset.section = section;
      field.append(label, input, help);
      set.append(field);
    }
    document.querySelector("#fields").append(set);
  }
  takeOver();
}

// Shows what the device has meanwhile, by another page perhaps, and says so where something else was changed here.
function takeOver() {
  const others = [];
  for (const [input, before] of changed) {
    const value = shown(minute[input.dataset.section][input.name]);
    if (value === before) continue;
    if (valueOf(input) === before) show(input, value);
    else if (valueOf(input) !== value) others.push(input.labels[0].textContent);
    changed.set(input, value);
  }
  const names = others.join("; ");
  if (names) saved.textContent = `Another page has saved ${names}: Save replaces that by what stands here.`;
  const zones = JSON.stringify(minute.decision.zones.map(rounded));
  const now = JSON.stringify(zonesNow());
  if (zones === zonesBefore || drag) return;
  if (now === zonesBefore) showZones(minute.decision.zones);
  else if (now !== zones) zoneSaid.textContent = "Another page has saved other zones: Save replaces them by these.";
  zonesBefore = zones;
}

// What was posted is what the device has.
function remember(posted) {
  for (const input of changed.keys()) {
    const value = posted[input.dataset.section]?.[input.name];
    if (value !== undefined) changed.set(input, value);
  }
  if (posted.decision?.zones) zonesBefore = JSON.stringify(posted.decision.zones);
}

function changes() {
  const found = {};
  for (const [input, before] of changed) {
    const value = valueOf(input);
    if (value !== before && value !== "") (found[input.dataset.section] ??= {})[input.name] = value;
  }
  if (JSON.stringify(zonesNow()) !== zonesBefore) (found.decision ??= {}).zones = zonesNow();
  return found;
}

function offerRestart() {
  document.querySelector("#waiting").hidden = !minute.waiting;
  document.querySelector("#restart").hidden = !minute.restarts;
  document.querySelector("#byhand").hidden = minute.restarts;
}

async function lastMinute() {
  const mine = ++asked;
  const found = await told(() => ask("minute"));
  if (mine !== asked) return;
  if (found) {
    minute = found;
    takeOver();
    const notice = minute.config ? "" : UNSAVED;
    document.querySelector("#values button").disabled = !minute.config;
    if (said.textContent !== notice) said.textContent = notice; // what was said of a device that is back is over
  }
  const tried = Object.keys(changes()).length ? await told(() => ask("try", changes()), saved) : null;
  if (mine !== asked) return;
  const rows = [["values in use", minute.states], ["values below", (tried ?? minute).states]];
  grey.textContent = minute.grey.length ? `Grey, from the left: ${minute.grey.join("; ")}.` : "";
  drawMinute(meant(values.elements, minute.card), minute.scores, rows);
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
  const jpeg = await told(() => ask("picture"));
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
  often(lastMinute, MINUTE_MS);
  often(preview, PICTURE_MS);
  listen();
}

// A turned picture is high: all of it shall be seen at once, and the zones lie upon it.
image.addEventListener("load", () => image.parentElement.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight));
for (const place of [values, layer]) {
  place.addEventListener("input", () => {
    said.textContent = saved.textContent = "";
    lastMinute();
  });
}
values.addEventListener("submit", async (event) => {
  event.preventDefault();
  saved.textContent = "";
  const posted = changes();
  const done = await told(() => ask("save", posted), saved);
  if (!done) return;
  remember(posted);
  await lastMinute();
  const since = Object.keys(changes()).length ? ", but for what was changed since" : "";
  saved.textContent = `Saved in ${done.saved}${since}.`;
});
document.querySelector("#restart").addEventListener("click", async () => {
  if (!(await told(() => ask("restart", {}), saved))) return;
  saved.textContent = "The kiosk starts again. It prints a new token, unless kiosk.toml holds one: journalctl -u mask-kiosk";
});
document.querySelector("#test").addEventListener("click", () => {
  tested.textContent = "";
  told(() => ask("test", {}), tested);
});
enter(open);
