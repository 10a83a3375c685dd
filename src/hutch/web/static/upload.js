// The upload page: files and folders by drop or choice, a few sent at a time, then one commit with all of them.
import { Api, Refused, UploadFile } from "./upload_file.js";

const AT_ONCE = 3;
const ASKED_AT_ONCE = 200;
const SAMPLE_BYTES = 512;

const form = document.querySelector("#upload");
const find = (name) => form.querySelector(`[data-${name}]`);
const api = new Api(form.dataset.api, form.elements.csrfmiddlewaretoken.value);
const files = new Map(); // by path; the last of a name wins
const rows = new Map();
let isPaused = false;
let isCommitting = false;
let planning = Promise.resolve();
const speed = { at: 0, bytes: 0, value: 0 };

export function shownSize(bytes) {
  let value = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1000) return unit === "B" ? `${value} B` : `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${unit}`;
    value /= 1000;
  }
  return `${value.toPrecision(3)} TB`;
}

const revision = () => encodeURIComponent(form.dataset.revision);
const asPull = () => new FormData(form).get("way") === "pull";

function add(found) {
  const fresh = [];
  for (const { file, path } of found) {
    const whole = form.dataset.folder ? `${form.dataset.folder}/${path}` : path;
    files.get(whole)?.forget();
    const item = new UploadFile(file, whole);
    files.set(whole, item);
    fresh.push(item);
  }
  draw();
  planning = planning.then(() => plan(fresh)).then(pump, (error) => fail(error));
}

async function plan(items) {
  for (let at = 0; at < items.length; at += ASKED_AT_ONCE) {
    const some = items.slice(at, at + ASKED_AT_ONCE);
    const asked = await Promise.all(some.map(async (item) => ({ path: item.path, size: item.size, sample: await base64(item.file.slice(0, SAMPLE_BYTES)) })));
    try {
      const told = await again(() => api.call("POST", `/preupload/${revision()}${asPull() ? "?create_pr=1" : ""}`, JSON.stringify({ files: asked })));
      told.files.forEach((advice, place) => {
        some[place].mode = advice.uploadMode;
        if (advice.uploadMode === "regular") some[place].state = "ready";
      });
    } catch (error) {
      if (some.length > 1) { // one bad name must not keep the others
        for (const item of some) await plan([item]);
      } else {
        some[0].state = "failed";
        some[0].error = error.message;
      }
    }
    draw();
  }
}

async function again(ask) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof Refused || attempt > 6) throw error;
      await new Promise((wake) => setTimeout(wake, 300 * 2 ** attempt));
    }
  }
}

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Refused("A file could not be read"));
    blob.size ? reader.readAsDataURL(blob) : resolve("");
  });
}

function pump() {
  if (isPaused) return;
  const large = [...files.values()].filter((item) => item.mode === "lfs");
  const busy = large.filter((item) => ["sending", "checking"].includes(item.state)).length;
  for (const item of large.filter((each) => ["waiting", "paused"].includes(each.state)).slice(0, AT_ONCE - busy)) {
    item.isPaused = false;
    item.send(api, draw).catch((error) => { item.state = "failed"; item.error = error.message; }).finally(() => { draw(); pump(); });
  }
  draw();
}

function setPaused(value) {
  isPaused = value;
  find("pause").textContent = value ? "Go on" : "Pause";
  if (value) for (const item of files.values()) { if (item.state === "sending") item.pause(); } else pump();
  draw();
}

let isDrawing = false;
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => { isDrawing = false; drawNow(); });
}

const WORDS = { waiting: "waiting", ready: "goes with the commit", sending: "", paused: "paused", checking: "being checked", sent: "sent", failed: "" };

function drawNow() {
  const items = [...files.values()];
  find("list").hidden = items.length === 0;
  for (const [path, row] of rows) if (!files.has(path)) { row.remove(); rows.delete(path); }
  for (const item of items) drawRow(item);
  const large = items.filter((item) => item.mode === "lfs" || !item.mode);
  const total = large.reduce((sum, item) => sum + item.size, 0);
  const sent = large.reduce((sum, item) => sum + item.sent, 0);
  const done = items.filter((item) => item.isReady).length;
  measure(sent);
  const left = speed.value > 0 && total > sent ? `, ${shownTime((total - sent) / speed.value)} left` : "";
  const rate = speed.value > 0 && total > sent && !isPaused ? ` at ${shownSize(Math.round(speed.value))}/s${left}` : "";
  find("total").textContent = `${done} of ${items.length} file${items.length === 1 ? "" : "s"} ready` + (total ? `, ${shownSize(sent)} of ${shownSize(total)} sent${rate}` : "");
  find("bar").max = Math.max(1, total);
  find("bar").value = total ? sent : done === items.length ? 1 : 0;
  find("pause").hidden = done === items.length || !large.length;
  find("commit").disabled = isCommitting;
  const status = done === items.length && items.length ? "All files are ready to be committed" : "";
  if (find("status").textContent !== status) find("status").textContent = status;
}

function drawRow(item) {
  let row = rows.get(item.path);
  if (!row || row.item !== item) {
    const made = document.createElement("li");
    made.innerHTML = '<span class="path mono"></span><span class="soft small size"></span><progress max="1"></progress><span class="small state"></span><button type="button" class="button small" data-again hidden>Again</button><button type="button" class="button plain small" data-drop-file></button>';
    made.querySelector(".path").textContent = item.path;
    made.querySelector(".size").textContent = shownSize(item.size);
    made.querySelector("progress").setAttribute("aria-label", item.path);
    const remove = made.querySelector("[data-drop-file]");
    remove.textContent = "✕";
    remove.setAttribute("aria-label", `Take ${item.path} off the list`);
    remove.addEventListener("click", () => { item.forget(); files.delete(item.path); pump(); });
    made.querySelector("[data-again]").addEventListener("click", () => {
      item.state = "waiting";
      item.error = "";
      planning = planning.then(() => (item.mode ? null : plan([item]))).then(pump);
    });
    row ? row.replaceWith(made) : find("rows").append(made);
    made.item = item;
    rows.set(item.path, made);
    row = made;
  }
  row.className = item.state;
  const bar = row.querySelector("progress");
  bar.hidden = item.mode === "regular";
  bar.max = Math.max(1, item.size);
  bar.value = item.sent;
  const percent = item.size ? `${Math.floor((100 * item.sent) / item.size)} %` : "";
  row.querySelector(".state").textContent = item.error || WORDS[item.state] || percent;
  row.querySelector("[data-again]").hidden = item.state !== "failed";
}

function measure(sent) {
  const now = performance.now();
  if (!speed.at || sent < speed.bytes) { speed.at = now; speed.bytes = sent; return; }
  if (now - speed.at < 500) return;
  const value = ((sent - speed.bytes) * 1000) / (now - speed.at);
  speed.value = speed.value ? 0.7 * speed.value + 0.3 * value : value;
  speed.at = now;
  speed.bytes = sent;
}

function shownTime(seconds) {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function fail(error) {
  const place = find("problem");
  place.textContent = error ? error.message : "";
  place.hidden = !error;
  if (error) place.scrollIntoView({ block: "nearest" });
}

async function commit() {
  const items = [...files.values()];
  fail(null);
  if (!items.length) { fail(new Error("Choose at least one file.")); return; }
  isCommitting = true;
  find("commit").dataset.label ??= find("commit").textContent;
  try {
    find("commit").textContent = "Waiting for the files…";
    await settled();
    const failed = [...files.values()].filter((item) => !item.isReady);
    if (failed.length) throw new Refused(`${failed[0].path}: ${failed[0].error || "not sent"}. Send it again, or take it off the list.`);
    find("commit").textContent = "Committing…";
    const told = await api.call("POST", `/commit/${revision()}${asPull() ? "?create_pr=1" : ""}`, await lines([...files.values()]));
    files.clear();
    location.assign(told.pullRequestUrl ? new URL(told.pullRequestUrl).pathname : form.dataset.done);
  } catch (error) {
    isCommitting = false;
    find("commit").textContent = find("commit").dataset.label;
    fail(error);
    draw();
  }
}

async function settled() {
  if (isPaused) setPaused(false);
  for (;;) {
    await planning;
    const open = [...files.values()].filter((item) => !item.isReady && item.state !== "failed");
    if (!open.length) return;
    await new Promise((wake) => setTimeout(wake, 150));
  }
}

async function lines(items) {
  const said = new FormData(form);
  const summary = said.get("summary").trim() || (items.length === 1 ? `Upload ${items[0].path}` : `Upload ${items.length} files`);
  const parts = [JSON.stringify({ key: "header", value: { summary, description: said.get("description") || "" } }), "\n"];
  for (const item of items) {
    if (item.mode === "lfs") {
      parts.push(JSON.stringify({ key: "lfsFile", value: { path: item.path, algo: "sha256", oid: item.oid, size: item.size } }), "\n");
    } else {
      const start = JSON.stringify({ key: "file", value: { path: item.path, encoding: "base64", content: "" } });
      parts.push(start.slice(0, -3), await base64(item.file), '"}}\n');
    }
  }
  return new Blob(parts, { type: "application/x-ndjson" });
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found = [];
  await Promise.all(entries.map((entry) => walk(entry, "", found)));
  return found;
}

async function walk(entry, folder, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
    found.push({ file, path: folder + entry.name });
    return;
  }
  const reader = entry.createReader();
  for (;;) { // a reader gives a hundred names at a time
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) return;
    for (const each of some) await walk(each, `${folder}${entry.name}/`, found);
  }
}

async function showUnfinished() {
  const told = await api.call("GET", "/uploads").catch(() => ({ uploads: [] }));
  if (!told.uploads.length) return;
  const place = find("unfinished");
  place.className = "notice";
  place.hidden = false;
  const words = document.createElement("p");
  words.textContent = "Not finished earlier. Choose the same files again, and they go on where they were:";
  const list = document.createElement("ul");
  for (const session of told.uploads.slice(0, 20)) {
    const line = document.createElement("li");
    line.className = "row";
    const name = document.createElement("span");
    name.textContent = `${session.path}: ${shownSize(session.offset)} of ${shownSize(session.size)}`;
    const forget = document.createElement("button");
    forget.type = "button";
    forget.className = "button small";
    forget.textContent = "Forget";
    forget.setAttribute("aria-label", `Forget the upload of ${session.path}`);
    forget.addEventListener("click", async () => {
      await fetch(new URL(session.url).pathname, { method: "DELETE" });
      line.remove();
      if (!list.children.length) place.hidden = true;
    });
    line.append(name, forget);
    list.append(line);
  }
  place.append(words, list);
}

function pick(what) {
  const input = document.createElement("input");
  input.type = "file";
  input.multiple = true;
  if (what === "folder") input.webkitdirectory = true;
  input.addEventListener("change", () => add([...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }))));
  input.click();
}

for (const each of form.querySelectorAll(".scripted")) each.hidden = false;
for (const each of form.querySelectorAll(".plain-way")) each.hidden = true;
const own = form.elements.files;
own.addEventListener("change", () => { add([...own.files].map((file) => ({ file, path: file.name }))); own.value = ""; });
for (const button of form.querySelectorAll("[data-pick]")) button.addEventListener("click", () => pick(button.dataset.pick));
const zone = find("drop");
for (const name of ["dragenter", "dragover"]) zone.addEventListener(name, (event) => { event.preventDefault(); zone.classList.add("over"); });
for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
zone.addEventListener("drop", async (event) => { event.preventDefault(); add(await dropped(event.dataTransfer)); });
find("pause").addEventListener("click", () => setPaused(!isPaused));
form.addEventListener("submit", (event) => { event.preventDefault(); if (!isCommitting) commit(); });
addEventListener("beforeunload", (event) => { if (files.size) event.preventDefault(); });
showUnfinished();
