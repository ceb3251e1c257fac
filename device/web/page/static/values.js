"use strict";
// The form's values, and the zones: filled with what the device has, kept with what another page saves, and told from it
// where something was changed here.

const values = document.querySelector("#values");
const saved = document.querySelector("#saved");
const changed = new Map(); // input to its value as the device has it
let zonesBefore = "[]";
let implied = null; // the release that holds with the threshold that stands here, where none was typed itself
let typed = false; // one was, though it may be the one that holds anyway

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
  know(input, value);
}

// Notes what the device has.
function know(input, value) {
  changed.set(input, value);
  if (input.name === "release") [implied, typed] = [null, false];
}

function isChanged(input) {
  if (input.name === "release") return typed || valueOf(input) !== (implied ?? changed.get(input));
  return valueOf(input) !== changed.get(input);
}

// Shows which release holds with the values that were tried, unless one is typed.
function imply(tried) {
  const { release } = values.elements;
  if (isChanged(release)) return;
  implied = shown((tried ?? minute).model.release);
  if (valueOf(release) !== implied) release.value = implied;
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
    if (!isChanged(input)) show(input, value);
    else if (valueOf(input) !== value) others.push(input.labels[0].textContent);
    changed.set(input, value);
  }
  const names = others.join("; ");
  if (names) say(saved, `Another page has saved ${names}. Save replaces that with what is here.`);
  const zones = JSON.stringify(minute.decision.zones.map(rounded));
  const now = JSON.stringify(zonesNow());
  if (zones === zonesBefore || drag) return;
  if (now === zonesBefore) showZones(minute.decision.zones);
  else if (now !== zones) say(zoneSaid, "Another page has saved other zones. Save replaces them with these.");
  zonesBefore = zones;
}

// Returns a refusal, which names a value as kiosk.toml does, with the name that the form has for it.
function named(line) {
  return line.replace(/^\[(\w+)\] (\w+)/, (keys, section, key) => {
    const label = document.querySelector(`label[for="${section}-${key}"]`);
    return label ? `"${label.textContent}" of "${TITLES[section]}"` : keys;
  });
}

// What was posted is what the device has.
function remember(posted) {
  for (const input of changed.keys()) {
    const value = posted[input.dataset.section]?.[input.name];
    if (value !== undefined) know(input, value);
  }
  if (posted.decision?.zones) zonesBefore = JSON.stringify(posted.decision.zones);
}

function changes() {
  const found = {};
  for (const input of changed.keys()) {
    const value = valueOf(input);
    if (isChanged(input) && value !== "") (found[input.dataset.section] ??= {})[input.name] = value;
  }
  if (JSON.stringify(zonesNow()) !== zonesBefore) (found.decision ??= {}).zones = zonesNow();
  return found;
}
