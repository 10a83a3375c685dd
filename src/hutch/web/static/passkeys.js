// Passkeys and security keys. The page's JSON blocks (data-allauth-onload) say which button does what.
(() => {
  const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withIds = (list) => (list || []).map((item) => ({ ...item, id: toBytes(item.id) }));

  function say(error) {
    const place = document.getElementById("passkey-error");
    if (!place) return;
    const cancelled = error.name === "NotAllowedError";
    place.textContent = cancelled ? "It was cancelled, or took too long." : `That did not work: ${error.message}`;
    place.hidden = false;
  }

  async function create(options, passwordless) {
    const key = { ...options.publicKey };
    key.challenge = toBytes(key.challenge);
    key.user = { ...key.user, id: toBytes(key.user.id) };
    key.excludeCredentials = withIds(key.excludeCredentials);
    key.authenticatorSelection = {
      ...key.authenticatorSelection,
      residentKey: passwordless ? "required" : "discouraged",
      requireResidentKey: passwordless,
      ...(passwordless ? { userVerification: "required" } : {}),
    };
    const made = await navigator.credentials.create({ publicKey: key });
    const response = {
      clientDataJSON: toText(made.response.clientDataJSON),
      attestationObject: toText(made.response.attestationObject),
      transports: made.response.getTransports ? made.response.getTransports() : [],
    };
    return shape(made, response);
  }

  async function get(options) {
    const key = { ...options.publicKey };
    key.challenge = toBytes(key.challenge);
    key.allowCredentials = withIds(key.allowCredentials);
    const found = await navigator.credentials.get({ publicKey: key });
    const response = {
      clientDataJSON: toText(found.response.clientDataJSON),
      authenticatorData: toText(found.response.authenticatorData),
      signature: toText(found.response.signature),
      userHandle: found.response.userHandle ? toText(found.response.userHandle) : null,
    };
    return shape(found, response);
  }

  const shape = (credential, response) => ({
    type: credential.type,
    id: credential.id,
    rawId: toText(credential.rawId),
    authenticatorAttachment: credential.authenticatorAttachment,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });

  function onClick(ids, button, credential) {
    const field = document.getElementById(ids.credential);
    document.getElementById(button).addEventListener("click", async (event) => {
      event.preventDefault();
      try {
        field.value = JSON.stringify(await credential());
        field.form.submit();
      } catch (error) {
        say(error);
      }
    });
  }

  const data = (ids) => JSON.parse(document.getElementById(ids.data).textContent);
  const forms = {
    addForm: (ids) =>
      onClick(ids, ids.add, () =>
        create(data(ids).creation_options, Boolean(document.getElementById(ids.passwordless)?.checked))),
    authenticateForm: (ids) => onClick(ids, ids.authenticate, () => get(data(ids).request_options)),
    loginForm: (ids) =>
      onClick(ids, ids.login, async () => {
        const form = document.getElementById(ids.credential).form;
        const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
        if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
        return get((await answer.json()).request_options);
      }),
  };

  for (const block of document.querySelectorAll("script[data-allauth-onload]")) {
    const form = forms[block.dataset.allauthOnload.split(".").pop()];
    if (form) form(JSON.parse(block.textContent).ids);
  }
})();
