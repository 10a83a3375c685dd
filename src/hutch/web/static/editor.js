// The editor of a text file: asks before changes are lost, and commits by Ctrl+Enter. It works without.
"use strict";

const editorForm = document.querySelector("[data-editor-form]");
if (editorForm) {
  const area = editorForm.querySelector("textarea[name=content]");
  const before = area.value;
  let isLeaving = false;
  editorForm.addEventListener("submit", (event) => { isLeaving = !event.submitter || !event.submitter.formTarget; });
  addEventListener("beforeunload", (event) => { if (!isLeaving && area.value !== before) event.preventDefault(); });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) editorForm.requestSubmit(editorForm.querySelector("button.primary"));
  });
}
