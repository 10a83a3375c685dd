// One file's way to the hub: asked how to send it, then sent in pieces that survive a broken line and a reload.
// The protocol is that of repos/uploads_api.py (a session with a signed address) and cas/wire.py (`resume`).

const PIECE_BYTES = 32 * 1024 * 1024;
const ENDS_BYTES = 64 * 1024;
const LONGEST_PAUSE_MS = 20000;
const STALLED_MS = 60000; // a line that is silent for so long is cut, and the piece sent again
const GIVES_UP_AFTER = 12; // failures in a row without a byte of progress, about three minutes

export class Refused extends Error {} // an answer that trying again will not change

export class Api {
  constructor(root, token) {
    this.root = root;
    this.token = token;
  }

  async call(method, path, body) {
    const answer = await fetch(this.root + path, {
      method, body, credentials: "same-origin",
      headers: { "X-CSRFToken": this.token, Accept: "application/json", ...(typeof body === "string" ? { "Content-Type": "application/json" } : {}) },
    });
    if (answer.status === 204) return {};
    const told = await answer.json().catch(() => ({}));
    if (answer.ok) return told;
    const sentence = told.error || `The hub answered ${answer.status}`;
    if (answer.status >= 500 || answer.status === 429) throw new Error(sentence);
    const refusal = new Refused(sentence);
    refusal.code = told.code;
    throw refusal;
  }
}

// A word for this very file: another of the same name and size must not go on where this one broke off.
export async function fingerprint(file, path) {
  const ends = [file.slice(0, ENDS_BYTES), file.slice(Math.max(ENDS_BYTES, file.size - ENDS_BYTES))];
  let hash = 0xcbf29ce484222325n;
  for (const end of ends) {
    for (const byte of new Uint8Array(await end.arrayBuffer())) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  }
  return `${path.slice(-80)}|${file.size}|${file.lastModified}|${hash.toString(16)}`;
}

export class UploadFile {
  constructor(file, path) {
    this.file = file;
    this.path = path;
    this.state = "waiting"; // waiting, sending, paused, checking, sent, failed
    this.mode = ""; // regular files travel inside the commit
    this.sent = 0;
    this.oid = "";
    this.error = "";
    this.url = "";
    this.request = null;
    this.isPaused = false;
  }

  get size() { return this.file.size; }
  get isReady() { return this.mode === "regular" || this.state === "sent"; }

  // Sends what is missing; resolves when the hub has the file, or when it was paused. Rejects with Refused.
  async send(api, changed) {
    this.state = "sending";
    this.error = "";
    const word = await fingerprint(this.file, this.path);
    let failures = 0;
    let best = -1;
    while (!this.isPaused) {
      try {
        if (!this.url) await this.begin(api, word);
        if (this.oid) break;
        changed();
        await this.sendPiece(changed);
        if (this.oid) break;
      } catch (error) {
        this.url = ""; // the session says anew where to go on; its address may have run out
        if (this.isPaused) break;
        if (error instanceof Refused && !["TicketExpired", "NotFound", "OffsetMismatch", "UploadBusy"].includes(error.code)) throw error;
        failures = this.sent > best ? 1 : failures + 1;
        best = Math.max(best, this.sent);
        if (failures > GIVES_UP_AFTER) throw new Refused(error.message || "The hub cannot be reached");
        this.error = "Waiting for the hub";
        changed();
        await new Promise((wake) => setTimeout(wake, Math.min(LONGEST_PAUSE_MS, 250 * 2 ** failures)));
      }
    }
    this.state = this.oid ? "sent" : "paused";
    if (this.oid) this.sent = this.size;
    this.error = "";
    changed();
  }

  async begin(api, word) {
    const session = await api.call("POST", "/uploads", JSON.stringify({ path: this.path, size: this.size, fingerprint: word }));
    this.url = new URL(session.url).pathname;
    this.sent = session.offset;
    this.oid = session.oid || "";
    this.error = "";
  }

  sendPiece(changed) {
    const start = this.sent;
    const piece = this.file.slice(start, start + PIECE_BYTES);
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch does not tell how much has been sent
      this.request = request;
      request.open("PATCH", this.url);
      request.setRequestHeader("Upload-Offset", String(start));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.responseType = "json";
      let silence = 0;
      const heard = () => { clearTimeout(silence); silence = setTimeout(() => request.abort(), STALLED_MS); };
      heard();
      request.onloadend = () => clearTimeout(silence);
      request.upload.onprogress = (event) => { heard(); this.sent = start + event.loaded; changed(); };
      request.upload.onload = () => { clearTimeout(silence); if (start + piece.size === this.size) { this.state = "checking"; changed(); } };
      request.onload = () => {
        this.state = "sending";
        const told = request.response || {};
        if (request.status === 200) {
          this.sent = told.offset;
          this.oid = told.oid || "";
          resolve();
          return;
        }
        this.sent = start;
        const error = request.status >= 500 || request.status === 429 ? new Error(told.error) : new Refused(told.error || `The hub answered ${request.status}`);
        error.code = told.code;
        reject(error);
      };
      request.onerror = request.onabort = request.ontimeout = () => { this.state = "sending"; this.sent = start; reject(new Error("The line broke")); };
      request.send(piece);
    });
  }

  pause() {
    this.isPaused = true;
    if (this.request) this.request.abort();
  }

  async forget() {
    this.pause();
    if (this.url) await fetch(this.url, { method: "DELETE" }).catch(() => {});
  }
}
