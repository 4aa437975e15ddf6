"use strict";
const $ = (id) => document.getElementById(id);
const bodyData = document.body.dataset;
let row = [];         // the photos on the page, kept to deblur them again in another way; token: a name on the server
let shown = null;     // the one that is looked at
let turn = 0;         // counts what was given: answers of before are thrown away
let factor = 1;       // screen px a photo px
let view = { zoom: 0, x: 0, y: 0, cut: 0.5 };  // zoom 0: the whole photo
let painted = null;   // a mask from the brush, which goes before a file's

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
  for (const { token } of row) if (token) fetch(`/photos/${token}`, { method: "DELETE", keepalive: true }).catch(() => {});
  row = [];
}

// ------------------------------------------------------------------ photos on their way
async function give(files) {
  const mine = ++turn;
  leave();
  shown = null;
  complain("");
  row = files.map((file) => ({ file, token: null, facts: null, button: document.createElement("button") }));
  for (const each of row) {
    each.button.textContent = each.file.name;
    each.button.addEventListener("click", () => { if (each.facts) present(each, turn); });
  }
  $("row").replaceChildren(...row.map((each) => each.button));
  $("row").hidden = row.length < 2;
  const wished = [wishes(), mask()];
  $("facts").dataset.wishes = JSON.stringify(wished[0]);
  for (const each of [...row]) {
    try {
      await deblur(each, mine, ...wished);
    } catch (error) {
      if (mine !== turn) return;
      each.button.className = "failed";
      complain([$("message").textContent, error.message].filter(Boolean).join(" "));
    }
    if (mine !== turn) return;
  }
  if (!shown) {
    leave();
    show("drop");
    $("row").hidden = true;
  }
}
async function deblur(each, mine, { model, strength, only }, masked) {
  if (!shown) {
    preview(each.file);
    show("work");
  }
  progress(each, "Sending the photo");
  const headers = { "X-File-Name": encodeURIComponent(each.file.name), "Content-Type": "application/octet-stream" };
  if (masked) headers["X-Mask-Bytes"] = String(masked.size);
  const body = masked ? new Blob([each.file, masked]) : each.file;
  const given = await ask(`/photos?${new URLSearchParams({ model, strength, only })}`, { method: "POST", headers, body });
  if (mine !== turn) return void fetch(`/photos/${given.token}`, { method: "DELETE" });
  each.token = given.token;
  each.facts = await finished(each, mine);
  if (mine !== turn) return;
  each.button.className = "done";
  each.button.textContent = each.file.name;
  if (!shown) await present(each, mine);
}
function mask() {
  return painted || $("mask").files[0];
}
function wishes() {
  const given = mask();
  const masked = given ? [given.name, given.size, given.lastModified] : [];
  return { model: $("model").value, strength: $("strength").value / 100, only: $("only").value, mask: masked };
}
async function finished(each, mine) {
  for (;;) {
    const told = await ask(`/photos/${each.token}`);
    if (mine !== turn) return null;
    if (told.state === "done") return told.facts;
    if (told.state === "failed") throw new Error(told.message);
    const others = told.ahead === 1 ? "One photo is" : `${told.ahead} photos are`;
    if (told.state === "waiting") progress(each, told.ahead ? `${others} being deblurred before this one` : "Waiting");
    else progress(each, told.step, told.done, told.of);
    await new Promise((resolve) => setTimeout(resolve, 250));
    if (mine !== turn) return null;
  }
}
function progress(each, step, done = 0, of = 0) {
  const share = of ? `${Math.floor((100 * done) / of)} %` : "…";
  $("step").textContent = of ? `${step}: ${share}` : `${step} …`;
  each.button.textContent = `${each.file.name} ${share}`;
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
  $("row").hidden = true;
}

// ------------------------------------------------------------------ the result
async function present(each, mine) {
  const { facts } = each;
  const at = (name) => `/photos/${each.token}/${name}`;
  shown = each;
  for (const { button } of row) button.setAttribute("aria-pressed", String(button === each.button));
  for (const name of ["before", "after", "map"]) $(name).src = at(name);
  await Promise.all(["before", "after", "map"].map((name) => $(name).decode().catch(() => {})));
  if (mine !== turn || shown !== each) return;
  $("download").href = at("photo");
  $("download-map").href = at("defocus");
  const megapixels = ((facts.width * facts.height) / 1e6).toFixed(1);
  $("facts").textContent = `${facts.name} · ${facts.width} × ${facts.height} px (${megapixels} MP) · ${facts.model} · ${duration(facts.seconds)}`;
  scale(facts.sigma_max);
  Object.assign($("stage"), { facts });
  view = { zoom: 0, x: 0, y: 0, cut: 0.5 };
  $("cut").value = 50;
  if (!painted) Object.assign($("painted"), { width: facts.width, height: facts.height });
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
  factor = view.zoom ? view.zoom / window.devicePixelRatio : fitted;
  const layer = { width: facts.width * factor, height: facts.height * factor };
  stage.style.width = `${view.zoom ? room : width}px`;
  stage.style.height = `${height}px`;
  const outer = view.zoom ? room : width;
  const held = (value, shown, all) => (all <= shown ? (shown - all) / 2 : Math.min(0, Math.max(shown - all, value)));
  view.x = held(view.x, outer, layer.width);
  view.y = held(view.y, height, layer.height);
  stage.classList.toggle("full", view.zoom > 0);
  stage.classList.toggle("close", view.zoom > 1);
  Object.assign($("layer").style, {
    width: `${layer.width}px`, height: `${layer.height}px`, transform: `translate(${view.x}px, ${view.y}px)`,
  });
  const cut = view.cut * outer;
  $("line").style.left = `${cut}px`;
  $("before").style.clipPath = `inset(0 ${Math.max(0, layer.width - (cut - view.x))}px 0 0)`;
  for (const each of document.querySelectorAll("[data-zoom]"))
    each.setAttribute("aria-pressed", String(+each.dataset.zoom === view.zoom));
}
function enlarge(zoom, atX, atY) {
  if (zoom === view.zoom) return;
  const stage = $("stage").getBoundingClientRect();
  const [x, y] = [atX ?? stage.width / 2, atY ?? stage.height / 2];
  const [px, py] = [(x - view.x) / factor, (y - view.y) / factor];
  view.zoom = zoom;
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
  $("another").textContent = other ? "Deblur like this" : "Other photos";
  $("another").classList.toggle("again", other);
}

// ------------------------------------------------------------------ what a visitor does
let drag = null;
function paint(event) {  // a round brush of 44 px on the screen, at any zoom
  const box = $("painted").getBoundingClientRect();
  const brush = $("painted").getContext("2d");
  const [x, y] = [(event.clientX - box.left) / factor, (event.clientY - box.top) / factor];
  Object.assign(brush, { strokeStyle: "white", lineWidth: 44 / factor, lineCap: "round" });
  brush.beginPath();
  brush.moveTo(...(drag.at || [x, y]));
  brush.lineTo(x, y);
  brush.stroke();
  drag.at = [x, y];
}
function keepPaint() {
  const whole = document.createElement("canvas");
  Object.assign(whole, { width: $("painted").width, height: $("painted").height });
  const drawn = whole.getContext("2d");
  drawn.fillRect(0, 0, whole.width, whole.height);  // black: a mask has no alpha
  drawn.drawImage($("painted"), 0, 0);
  whole.toBlob((blob) => { painted = new File([blob], "painted.png"); again(); });
}
$("stage").addEventListener("pointerdown", (event) => {
  if (event.button) return;
  event.preventDefault();
  if ($("brush").checked) {
    drag = { paints: true };
    $("stage").setPointerCapture(event.pointerId);
    return paint(event);
  }
  const moves = view.zoom > 0 && event.target !== $("line");
  drag = { moves, x: event.clientX - view.x, y: event.clientY - view.y };
  $("stage").setPointerCapture(event.pointerId);
  if (!moves) setCut(event.clientX);
});
$("stage").addEventListener("pointermove", (event) => {
  if (!drag) return;
  if (drag.paints) return paint(event);
  if (!drag.moves) return setCut(event.clientX);
  view.x = event.clientX - drag.x;
  view.y = event.clientY - drag.y;
  draw();
});
for (const end of ["pointerup", "pointercancel"]) $("stage").addEventListener(end, () => {
  if (drag?.paints) keepPaint();
  drag = null;
});
$("stage").addEventListener("dblclick", (event) => {
  const box = $("stage").getBoundingClientRect();
  enlarge(view.zoom ? 0 : 1, event.clientX - box.left, event.clientY - box.top);
});
$("cut").addEventListener("input", () => { view.cut = $("cut").value / 100; draw(); });
for (const each of document.querySelectorAll("[data-zoom]")) each.addEventListener("click", () => enlarge(+each.dataset.zoom));
$("brush").addEventListener("change", () => {
  $("painted").hidden = !$("brush").checked;
  $("stage").classList.toggle("painting", $("brush").checked);
  if (!$("brush").checked) {
    painted = null;
    $("painted").getContext("2d").clearRect(0, 0, $("painted").width, $("painted").height);
    again();
  }
});
$("show-map").addEventListener("change", showMap);
$("opacity").addEventListener("input", showMap);
$("cancel").addEventListener("click", cancel);
for (const id of ["model", "strength", "only", "mask"]) $(id).addEventListener("input", again);
$("another").addEventListener("click", () => ($("another").classList.contains("again") ? give(row.map(({ file }) => file)) : $("file").click()));
function bring(files) {
  if ($("brush").checked) $("brush").click();  // what is painted is of the photo before
  give(files);
}
function chosen() {
  if ($("file").files.length) bring([...$("file").files]);
  $("file").value = "";
}
$("file").addEventListener("change", chosen);
$("sample").addEventListener("click", async () => bring([new File([await (await fetch("/page/bee.jpg")).blob()], "bee.jpg")]));
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
  if (dropped.length) bring([...dropped]);
});
window.addEventListener("resize", draw);
window.addEventListener("pagehide", () => { for (const { token } of row) if (token) navigator.sendBeacon(`/photos/${token}/leave`); });
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
setInterval(() => { for (const { token } of row) if (token) fetch(`/photos/${token}`).catch(() => {}); }, 60000);  // still here

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
