// The chat page: shows an answer while it comes, and stops it. Without this the page waits for the whole answer.
"use strict";

const chatPage = document.querySelector("[data-chat]");
if (chatPage) {
  const turns = chatPage.querySelector("[data-turns]");
  const composer = chatPage.querySelector("[data-composer]");
  const stopButton = chatPage.querySelector("[data-stop]");
  const sendButton = chatPage.querySelector("[data-send]");
  const status = chatPage.querySelector("[data-status]");
  let running = null; // what stops the answer on its way

  function bubble(role, text) {
    const article = document.createElement("article");
    article.className = `turn ${role}`;
    const body = document.createElement("div");
    body.className = role === "user" ? "said" : "prose coming";
    body.textContent = text;
    article.append(body);
    turns.append(article);
    article.scrollIntoView({ block: "end" });
    return article;
  }

  function cutAfter(key) { // what is said anew stands in the place of all that came after
    let found = key === "";
    for (const turn of [...turns.children]) {
      if (found) turn.remove();
      else if (turn.dataset.turn === key) found = true;
    }
  }

  function notice(text) {
    const box = document.createElement("div");
    box.className = "notice bad";
    box.setAttribute("role", "alert");
    box.textContent = text;
    turns.append(box);
  }

  async function* eventsOf(answer) { // server-sent events; lines that begin with a colon only keep the connection open
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let held = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      held += value;
      const parts = held.split("\n\n");
      held = parts.pop();
      for (const part of parts) yield part.startsWith("data: ") ? JSON.parse(part.slice(6)) : { waiting: part.slice(2) };
    }
  }

  async function refusal(answer) {
    try { return (await answer.json()).error; } catch { return `The server answered ${answer.status}`; }
  }

  function copyButtons(prose) {
    for (const pre of prose.querySelectorAll("pre")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button small copy-code";
      button.textContent = "Copy";
      button.dataset.copy = pre.textContent;
      const box = document.createElement("div");
      box.className = "copyable";
      pre.replaceWith(box);
      box.append(pre, button);
    }
  }

  async function send(form) {
    const fields = new URLSearchParams(new FormData(form));
    if (form.dataset.after !== undefined) cutAfter(form.dataset.after);
    turns.querySelector("[data-empty]")?.remove();
    for (const old of turns.querySelectorAll(".notice")) old.remove();
    const said = fields.get("text") ? bubble("user", fields.get("text")) : null;
    const answer = bubble("assistant", "");
    const prose = answer.firstElementChild;
    running = new AbortController();
    turns.setAttribute("aria-busy", "true");
    stopButton.hidden = false;
    sendButton.disabled = true;
    status.textContent = "The model is answering";
    let url = "", turn = null;
    const waiting = document.createElement("span");
    waiting.className = "soft small waiting";
    waiting.textContent = "Reading …";
    prose.append(waiting);
    try {
      const got = await fetch("/chat/say", {
        method: "POST", body: fields, signal: running.signal, headers: { Accept: "text/event-stream" },
      });
      if (!got.ok) throw new Error(await refusal(got));
      for await (const event of eventsOf(got)) {
        if (event.waiting) waiting.textContent = "Loading the model …";
        if (event.url) url = event.url;
        if (event.text) {
          waiting.remove();
          prose.append(event.text);
          const below = turns.parentElement.getBoundingClientRect().bottom - innerHeight;
          if (below < 160) composer.scrollIntoView({ block: "end" });
        }
        if (event.error) throw new Error(event.error);
        if (event.done) turn = event.done;
      }
      status.textContent = "The answer is there";
    } catch (error) {
      if (error.name !== "AbortError") {
        waiting.remove();
        if (!prose.textContent) { answer.remove(); if (!url) said?.remove(); }
        notice(error.message);
        status.textContent = "";
        return { isDone: false, url };
      }
      status.textContent = "Stopped";
    } finally {
      running = null;
      turns.removeAttribute("aria-busy");
      stopButton.hidden = true;
      sendButton.disabled = false;
    }
    return { isDone: true, url, turn };
  }

  // The page itself knows best what stands where: it is asked for once the answer is kept, and put in place of this one.
  async function renew(url) {
    const page = new DOMParser().parseFromString(await (await fetch(url)).text(), "text/html");
    for (const name of ["[data-turns]", ".talks", ".chat-head"]) {
      chatPage.querySelector(name).replaceChildren(...page.querySelector(name).childNodes);
    }
    for (const name of ["conversation", "parent"]) {
      composer.elements[name].value = page.querySelector(`[data-composer] [name=${name}]`).value;
    }
    document.title = page.title;
    history.replaceState(null, "", url);
    for (const prose of turns.querySelectorAll(".prose")) copyButtons(prose);
  }

  chatPage.addEventListener("submit", async (event) => {
    const form = event.target;
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) { event.preventDefault(); return; }
    if (form.dataset.chatForm === undefined) return;
    event.preventDefault();
    if (running) return;
    const typed = form === composer ? composer.elements.text.value : "";
    const before = new Set([...turns.children].map((each) => each.dataset.turn));
    const sent = send(form);
    if (form === composer) composer.elements.text.value = "";
    const { isDone, url } = await sent;
    if (!isDone && !url) { composer.elements.text.value ||= typed; return; }
    if (!isDone) return;
    // what was stopped is kept a moment after the connection ends
    for (let tries = 0; url && tries < 20; tries++) {
      await renew(url);
      const last = turns.lastElementChild;
      if (last?.classList.contains("assistant") && !before.has(last.dataset.turn)) break;
      await new Promise((again) => setTimeout(again, 150));
    }
    composer.elements.text.focus({ preventScroll: true });
    composer.scrollIntoView({ block: "end" });
  });

  composer.elements.text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    composer.requestSubmit();
  });
  stopButton.addEventListener("click", () => running?.abort());
  for (const prose of turns.querySelectorAll(".prose")) copyButtons(prose);
}
