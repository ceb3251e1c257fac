"use strict";
// Shows the look that the device tells, and FAULT when it says nothing.

const SILENT_MS = 3000; // the device speaks every second
const PICTURE_MS = 10000; // and shows a picture every five, if as many look as may
const RETRY_MS = 1000;
const LARGEST_PX = 600;

const body = document.body;
const sections = new Map([...document.querySelectorAll("section")].map((section) => [section.dataset.look, section]));
const live = document.querySelector("[role=status]");
const picture = document.querySelector(".mirror img");
let shown = "STARTING";
let reason = null;

function show(look, why) {
  if (look === "STARTING" || (look === shown && why === reason)) return; // a device that starts again is still a fault
  shown = look;
  reason = why;
  body.dataset.look = look;
  for (const [name, section] of sections) section.hidden = name !== look;
  for (const text of document.querySelectorAll("[data-reason]")) text.hidden = text.dataset.reason !== why;
  fit();
  const sentences = [...sections.get(look).querySelectorAll("h1, p")].filter((part) => !part.hidden);
  live.textContent = sentences.map((part) => part.textContent).join(" ");
  if (picture && look === "FAULT") hidePicture();
  if ("speech" in body.dataset) speak(sections.get(look).querySelector("p").textContent);
}

function speak(text) {
  if (!("speechSynthesis" in window)) return; // as in Android's WebView
  speechSynthesis.cancel();
  const speech = new SpeechSynthesisUtterance(text);
  speech.lang = document.documentElement.lang;
  if (["CHECKING", "CLEAR", "ALARM"].includes(shown)) speechSynthesis.speak(speech);
}

// Sets a property of a box to the largest number with which the box holds its text.
function grow(box, property, unit, least, step, finest) {
  let fits = least;
  for (; step >= finest; step /= 2) {
    box.style.setProperty(property, `${fits + step}${unit}`);
    if (box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight) fits += step;
  }
  box.style.setProperty(property, `${fits}${unit}`);
}

// The largest word that its box holds, whatever the language and the screen, and below it the largest prompt.
function fit() {
  const words = sections.get(shown).querySelector(".words");
  words.style.removeProperty("--prompt");
  grow(words, "font-size", "px", 4, LARGEST_PX, 1);
  grow(words, "--prompt", "", 0.4, 0.16, 0.01);
}

// Opens a socket for ever: `heard` gets its messages, `lost` is called when it ends, or says nothing for so long.
function listen(path, patience, heard, lost) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
  const end = () => {
    clearTimeout(silence);
    socket.onclose = socket.onmessage = null;
    socket.close();
    setTimeout(() => listen(path, patience, heard, lost), RETRY_MS); // first, whatever comes of the rest
    lost();
  };
  let silence = setTimeout(end, patience);
  socket.onclose = end;
  socket.onmessage = (message) => {
    clearTimeout(silence);
    silence = setTimeout(end, patience);
    heard(message.data);
  };
}

function hidePicture() {
  URL.revokeObjectURL(picture.src);
  picture.hidden = true;
  fit();
}

function showPicture(jpeg) {
  if (shown === "FAULT") return;
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(jpeg);
  if (picture.hidden) {
    picture.hidden = false;
    fit();
  }
}

// Only what is there: a page that doesn't come leaves an error of the browser's, which nobody at a tablet loads anew.
function loadAnew() {
  fetch("/").then((answer) => answer.ok && location.reload(), () => {});
}

listen(
  "/state",
  SILENT_MS,
  (text) => {
    const state = JSON.parse(text);
    if (state.page !== body.dataset.page) loadAnew(); // the device has other settings or another version now
    show(state.look, state.reason);
  },
  () => shown === "ENDED" || show("FAULT", shown === "FAULT" ? reason : "gone"),
);
if (picture) listen("/mirror", PICTURE_MS, showPicture, hidePicture);
addEventListener("resize", fit);
document.fonts.ready.then(fit);
fit();
