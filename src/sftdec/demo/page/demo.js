"use strict";
const $ = (id) => document.getElementById(id);
const bodyData = document.body.dataset;
let file = null;      // the photo on the page, kept to deblur it again in another way
let token = null;     // its name on the server
let turn = 0;         // counts photos: answers of an earlier one are thrown away
let factor = 1;       // screen px a photo px
let view = { full: false, x: 0, y: 0, cut: 0.5 };

function show(section) {
  for (const id of ["drop", "work", "result"]) $(id).hidden = id !== section;
}
function complain(sentence) {
  $("message").textContent = sentence;
  $("message").hidden = !sentence;
}
async function ask(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error("sftdec demo does not answer; is it still running?");
  }
  const told = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.message || `the server answered ${answer.status}`);
  return told;
}
function leave() {
  if (token) fetch(`/photos/${token}`, { method: "DELETE", keepalive: true }).catch(() => {});
  token = null;
}

// ------------------------------------------------------------------ a photo on its way
async function give(photo) {
  const mine = ++turn;
  leave();
  file = photo;
  complain("");
  progress("Sending the photo");
  preview(photo);
  show("work");
  try {
    const wished = wishes();
    const mask = $("mask").files[0];
    const headers = { "X-File-Name": encodeURIComponent(photo.name), "Content-Type": "application/octet-stream" };
    if (mask) headers["X-Mask-Bytes"] = String(mask.size);
    const body = mask ? new Blob([photo, mask]) : photo;
    $("facts").dataset.wishes = JSON.stringify(wished);
    const { model, strength, only } = wished;
    const given = await ask(`/photos?${new URLSearchParams({ model, strength, only })}`, { method: "POST", headers, body });
    if (mine !== turn) return void fetch(`/photos/${given.token}`, { method: "DELETE" });
    token = given.token;
    const facts = await finished(mine);
    if (facts) await present(facts, mine);
  } catch (error) {
    if (mine !== turn) return;
    leave();
    complain(error.message);
    show("drop");
  }
}
function wishes() {
  const mask = $("mask").files[0];
  const masked = mask ? [mask.name, mask.size, mask.lastModified] : [];
  return { model: $("model").value, strength: $("strength").value / 100, only: $("only").value, mask: masked };
}
async function finished(mine) {
  for (;;) {
    const told = await ask(`/photos/${token}`);
    if (mine !== turn) return null;
    if (told.state === "done") return told.facts;
    if (told.state === "failed") throw new Error(told.message);
    const others = told.ahead === 1 ? "One photo is" : `${told.ahead} photos are`;
    if (told.state === "waiting") progress(told.ahead ? `${others} being deblurred before this one` : "Waiting");
    else progress(told.step, told.done, told.of);
    await new Promise((resolve) => setTimeout(resolve, 250));
    if (mine !== turn) return null;
  }
}
function progress(step, done = 0, of = 0) {
  $("step").textContent = of ? `${step}: ${Math.floor((100 * done) / of)} %` : `${step} …`;
  if (of) $("bar").value = done / of;
  else $("bar").removeAttribute("value");
}
function preview(photo) {
  URL.revokeObjectURL($("given").src);
  $("given").hidden = true;
  $("given").onload = () => { $("given").hidden = false; };
  $("given").src = URL.createObjectURL(photo);
}
function cancel() {
  turn++;
  leave();
  show("drop");
}

// ------------------------------------------------------------------ the result
async function present(facts, mine) {
  const at = (name) => `/photos/${token}/${name}`;
  for (const name of ["before", "after", "map"]) $(name).src = at(name);
  await Promise.all(["before", "after", "map"].map((name) => $(name).decode().catch(() => {})));
  if (mine !== turn) return;
  $("download").href = at("photo");
  $("download-map").href = at("defocus");
  const megapixels = ((facts.width * facts.height) / 1e6).toFixed(1);
  $("facts").textContent = `${facts.name} · ${facts.width} × ${facts.height} px (${megapixels} MP) · ${facts.model} · ${duration(facts.seconds)}`;
  scale(facts.sigma_max);
  Object.assign($("stage"), { facts });
  view = { full: false, x: 0, y: 0, cut: 0.5 };
  $("cut").value = 50;
  show("result");
  again();
  draw();
}
function duration(seconds) {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
function scale(largest) {
  const step = [0.5, 1, 2, 5, 10].find((each) => largest / each <= 6) || 20;
  const ticks = [];
  for (let value = 0; value < largest - step / 3; value += step) ticks.push(value);
  $("ticks").replaceChildren(...[...ticks, largest].map((value) => {
    const tick = document.createElement("span");
    tick.textContent = +value.toFixed(1);
    tick.style.left = `${(100 * value) / largest}%`;
    return tick;
  }));
}
function draw() {
  const { facts } = $("stage");
  if (!facts || $("result").hidden) return;
  const stage = $("stage");
  const room = stage.parentElement.clientWidth;
  const high = Math.max(240, window.innerHeight * 0.68);
  const fitted = Math.min(room / facts.width, high / facts.height, Math.max(1, 480 / Math.max(facts.width, facts.height)));
  const width = Math.max(Math.round(facts.width * fitted), Math.min(room, 200));
  const height = Math.round(facts.height * fitted);
  factor = view.full ? 1 / window.devicePixelRatio : fitted;
  const layer = { width: facts.width * factor, height: facts.height * factor };
  stage.style.width = `${view.full ? room : width}px`;
  stage.style.height = `${height}px`;
  const outer = view.full ? room : width;
  const held = (value, shown, all) => (all <= shown ? (shown - all) / 2 : Math.min(0, Math.max(shown - all, value)));
  view.x = held(view.x, outer, layer.width);
  view.y = held(view.y, height, layer.height);
  stage.classList.toggle("full", view.full);
  Object.assign($("layer").style, {
    width: `${layer.width}px`, height: `${layer.height}px`, transform: `translate(${view.x}px, ${view.y}px)`,
  });
  const cut = view.cut * outer;
  $("line").style.left = `${cut}px`;
  $("before").style.clipPath = `inset(0 ${Math.max(0, layer.width - (cut - view.x))}px 0 0)`;
  $("fit").setAttribute("aria-pressed", String(!view.full));
  $("full").setAttribute("aria-pressed", String(view.full));
}
function enlarge(full, atX, atY) {
  if (full === view.full) return;
  const stage = $("stage").getBoundingClientRect();
  const [x, y] = [atX ?? stage.width / 2, atY ?? stage.height / 2];
  const [px, py] = [(x - view.x) / factor, (y - view.y) / factor];
  view.full = full;
  draw();
  const now = $("stage").getBoundingClientRect();
  view.x = now.width / 2 - px * factor;
  view.y = now.height / 2 - py * factor;
  draw();
}
function setCut(clientX) {
  const box = $("stage").getBoundingClientRect();
  view.cut = Math.min(1, Math.max(0, (clientX - box.left) / box.width));
  $("cut").value = 100 * view.cut;
  draw();
}
function showMap() {
  const on = $("show-map").checked;
  for (const id of ["map", "opacity-label", "scale"]) $(id).hidden = !on;
  $("map").style.opacity = $("opacity").value / 100;
}
function again() {
  $("percent").textContent = `${$("strength").value} %`;
  const other = !$("result").hidden && $("facts").dataset.wishes !== JSON.stringify(wishes());
  $("another").textContent = other ? "Deblur like this" : "Another photo";
  $("another").classList.toggle("again", other);
}

// ------------------------------------------------------------------ what a visitor does
let drag = null;
$("stage").addEventListener("pointerdown", (event) => {
  if (event.button) return;
  event.preventDefault();
  const moves = view.full && event.target !== $("line");
  drag = { moves, x: event.clientX - view.x, y: event.clientY - view.y };
  $("stage").setPointerCapture(event.pointerId);
  if (!moves) setCut(event.clientX);
});
$("stage").addEventListener("pointermove", (event) => {
  if (!drag) return;
  if (!drag.moves) return setCut(event.clientX);
  view.x = event.clientX - drag.x;
  view.y = event.clientY - drag.y;
  draw();
});
for (const end of ["pointerup", "pointercancel"]) $("stage").addEventListener(end, () => { drag = null; });
$("stage").addEventListener("dblclick", (event) => {
  const box = $("stage").getBoundingClientRect();
  enlarge(!view.full, event.clientX - box.left, event.clientY - box.top);
});
$("cut").addEventListener("input", () => { view.cut = $("cut").value / 100; draw(); });
$("fit").addEventListener("click", () => enlarge(false));
$("full").addEventListener("click", () => enlarge(true));
$("show-map").addEventListener("change", showMap);
$("opacity").addEventListener("input", showMap);
$("cancel").addEventListener("click", cancel);
for (const id of ["model", "strength", "only", "mask"]) $(id).addEventListener("input", again);
$("another").addEventListener("click", () => ($("another").classList.contains("again") ? give(file) : $("file").click()));
function chosen() {
  if ($("file").files.length) give($("file").files[0]);
  $("file").value = "";
}
$("file").addEventListener("change", chosen);
let inside = 0;  // dragenter and dragleave come for every element that is crossed
const hasFile = (event) => [...(event.dataTransfer?.types || [])].includes("Files");
window.addEventListener("dragenter", (event) => { if (hasFile(event)) { inside++; $("over").hidden = false; } });
window.addEventListener("dragleave", () => { inside = Math.max(0, inside - 1); $("over").hidden = !inside; });
window.addEventListener("dragover", (event) => event.preventDefault());
window.addEventListener("drop", (event) => {
  event.preventDefault();
  inside = 0;
  $("over").hidden = true;
  const dropped = event.dataTransfer?.files || [];
  if (dropped.length > 1) complain("One photo at a time, please: the first one is taken.");
  if (dropped.length) give(dropped[0]);
});
window.addEventListener("resize", draw);
window.addEventListener("pagehide", () => { if (token) navigator.sendBeacon(`/photos/${token}/leave`); });
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
setInterval(() => { if (token) fetch(`/photos/${token}`).catch(() => {}); }, 60000);  // still here

const colours = bodyData.colours.split(",");
const context = $("colours").getContext("2d");
const gradient = context.createLinearGradient(0, 0, 256, 0);
colours.forEach((colour, index) => gradient.addColorStop(index / (colours.length - 1), colour));
context.fillStyle = gradient;
context.fillRect(0, 0, 256, 1);

chosen();  // who was faster than this script

ask("/models").then((told) => {
  const options = told.models.map(({ name, label }) => new Option(label, name));
  $("model").append(...options);
  if (told.message) $("model").title = told.message;
  document.body.dataset.models = "all";
}).catch(() => {});
