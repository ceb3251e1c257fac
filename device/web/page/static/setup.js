"use strict";
// Asks the device for its picture and its last minute, and what other values would make of it.

const PICTURE_MS = 400;
const MINUTE_MS = 1000;
const SECONDS = 60;
const COLORS = { IDLE: "#8a949c", CHECKING: "#2f6fe0", CLEAR: "#0a8a5c", ALARM: "#d0212f" };
const LEVELS = ["threshold", "release"];
const UNSAVED = "Started without a kiosk.toml: values can be tried, not saved. Start it by make run CONFIG=FILE, or with --config FILE.";

const values = document.querySelector("#values");
const saved = document.querySelector("#saved");
const grey = document.querySelector("#grey");
const tested = document.querySelector("#tested");
const image = document.querySelector("figure img");
const canvas = document.querySelector("canvas");
const { gone, ended } = said.dataset;
let minute = null;
let tried = null;
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
  if (typeof value === "boolean") Object.assign(choice, { type: "checkbox", checked: value });
  else if (typeof value === "number")
    Object.assign(choice, { type: "number", step: "any", required: true, value: Number(value.toFixed(3)) });
  else Object.assign(choice, { required: true, value });
  return choice;
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
  showZones(minute.decision.zones);
  remember();
}

// What is there now is what the device has.
function remember() {
  for (const input of document.querySelectorAll("#fields [name]")) changed.set(input, valueOf(input));
  zonesBefore = JSON.stringify(zonesNow());
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

function draw() {
  const pen = canvas.getContext("2d");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  [canvas.width, canvas.height] = [width * devicePixelRatio, height * devicePixelRatio];
  pen.scale(devicePixelRatio, devicePixelRatio);
  const style = getComputedStyle(document.documentElement);
  const x = (at) => width * (1 + at / SECONDS);
  const y = (score) => 20 + (1 - score) * (height - 110);
  pen.fillStyle = style.getPropertyValue("--paper");
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = pen.strokeStyle = style.getPropertyValue("--ink");
  pen.font = "14px system-ui, sans-serif";
  for (const key of LEVELS) {
    const level = Number(values.elements[key].value);
    pen.fillText(key, 8, y(level) - 4);
    pen.fillRect(0, y(level), width, 2);
  }
  for (const [at, score] of minute.scores) {
    pen.beginPath();
    pen.arc(x(at), y(score), 3, 0, 7);
    pen.fill();
  }
  for (const [place, name, states] of [[0, "values in use", minute.states], [1, "values below", tried ?? minute.states]]) {
    const top = height - 72 + place * 36;
    states.forEach(([at, state], index) => {
      pen.fillStyle = COLORS[state];
      pen.fillRect(x(at), top, x(states[index + 1]?.[0] ?? 0) - x(at), 30);
    });
    pen.fillStyle = style.getPropertyValue("--ink");
    pen.strokeStyle = style.getPropertyValue("--paper");
    pen.lineWidth = 4;
    pen.strokeText(name, 8, top + 20);
    pen.fillText(name, 8, top + 20);
  }
}

function seconds(states) {
  const total = Object.fromEntries(Object.keys(COLORS).map((state) => [state, 0]));
  states.forEach(([at, state], index) => (total[state] += (states[index + 1]?.[0] ?? 0) - at));
  return total;
}

function list() {
  const [now, then] = [seconds(minute.states), seconds(tried ?? minute.states)];
  document.querySelector("tbody").replaceChildren(
    ...Object.keys(COLORS).map((state) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = state;
      head.style.borderInlineStart = `1rem solid ${COLORS[state]}`;
      row.append(head);
      for (const total of [now, then]) row.insertCell().textContent = total[state].toFixed(1);
      return row;
    }),
  );
}

async function lastMinute() {
  const found = await told(() => ask("minute"));
  if (found) {
    minute = found;
    const notice = minute.config ? "" : UNSAVED;
    document.querySelector("#values button").disabled = !minute.config;
    if (said.textContent !== notice) said.textContent = notice; // what was said of a device that is back is over
  }
  if (Object.keys(changes()).length) tried = (await told(() => ask("try", changes()), saved))?.states ?? null;
  else tried = null;
  grey.textContent = minute.grey.length ? `Grey, from the left: ${minute.grey.join("; ")}.` : "";
  draw();
  list();
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
  minute = await told(() => ask("minute"));
  if (!minute) return;
  showOpened();
  fields();
  often(lastMinute, MINUTE_MS);
  often(preview, PICTURE_MS);
  listen();
}

for (const place of [values, layer]) {
  place.addEventListener("input", () => {
    said.textContent = saved.textContent = "";
    lastMinute();
  });
}
values.addEventListener("submit", async (event) => {
  event.preventDefault();
  const done = await told(() => ask("save", changes()), saved);
  if (!done) return;
  remember();
  await lastMinute();
  saved.textContent = `Saved in ${done.saved}.`;
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
