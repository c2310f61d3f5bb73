// Small conveniences; every page can be read and used without them.
"use strict";

// Tell the reader when the page can no longer reach the node.
(function watchLink() {
  const line = document.getElementById("link");
  const since = () => new Date().toLocaleTimeString();
  let last = since();
  const good = () => { last = since(); line.textContent = ""; document.body.classList.remove("stale"); };
  const bad = () => {
    line.textContent = `No answer from the node; what you see is from ${last}`;
    document.body.classList.add("stale");
  };
  document.addEventListener("htmx:afterRequest", (event) => (event.detail.successful ? good() : bad()));
  document.addEventListener("htmx:sendError", bad);
  document.addEventListener("htmx:timeout", bad);
})();

// A live part that is renewed keeps the reader's place: the same link or button has the focus again.
(function keepFocus() {
  const like = (element) =>
    [...document.querySelectorAll("main a, main button")].filter(
      (other) => other.getAttribute("href") === element.getAttribute("href") && other.id === element.id);
  let focused = null;
  let place = 0;
  document.addEventListener("htmx:beforeSwap", () => {
    focused = document.activeElement.matches("main a, main button") ? document.activeElement : null;
    place = focused ? like(focused).indexOf(focused) : 0;
  });
  document.addEventListener("htmx:afterSettle", () => {
    const again = focused && like(focused)[place];
    if (again && document.activeElement === document.body) again.focus({ preventScroll: true });
  });
})();

// A screen reader says a warning when it comes, not again at each renewal.
(function sayWarnings() {
  const warnings = () => [...document.querySelectorAll("#live .banner")].map((each) => each.textContent).join(" ");
  let known = warnings();
  document.addEventListener("htmx:afterSettle", () => {
    if (warnings() !== known) document.getElementById("news").textContent = known = warnings();
  });
})();

// The picture viewer: slider, window buttons, mouse wheel, arrow keys of the slider.
(function viewer() {
  const section = document.getElementById("pictures");
  const slider = section && section.querySelector("#slice");
  if (!slider) return;
  const form = section.querySelector("form");
  const shown = section.querySelector("#slice-number");
  const pictures = [...section.querySelectorAll("img[data-kind]")];
  const count = Number(section.dataset.count);
  const chosen = () => form.querySelector("input[name=window]:checked").value;
  const address = (kind, number) =>
    `/jobs/${section.dataset.job}/pictures/${kind}/${number}.png?window=${chosen()}`;
  section.classList.add("scripted");

  // One set of requests at a time: a fast slider skips slices instead of queueing them.
  let busy = false;
  let again = false;
  async function show() {
    shown.textContent = slider.value;
    place();
    if (busy) { again = true; return; }
    busy = true;
    await Promise.all(pictures.map((picture) => load(picture, address(picture.dataset.kind, slider.value))));
    busy = false;
    if (again) { again = false; show(); } else { prefetch(Number(slider.value)); }
  }
  function load(picture, source) {
    return new Promise((done) => {
      picture.onload = picture.onerror = () => done();
      picture.src = source;
    });
  }
  function prefetch(number) {
    for (const next of [number + 1, number - 1]) {
      if (next < 1 || next > count) continue;
      for (const picture of pictures) new Image().src = address(picture.dataset.kind, next);
    }
  }
  // The whole body: a line at the slice that is shown, a click shows another.
  const body = section.querySelector("#projection");
  const fromTop = (share) => (body.dataset.headLast === "1" ? 1 - share : share);
  function place() {
    if (body) section.querySelector("#level").style.top = `${100 * fromTop((slider.value - 0.5) / count)}%`;
  }
  if (body) {
    body.addEventListener("click", (event) => {
      slider.value = Math.ceil(count * fromTop(event.offsetY / body.clientHeight));
      show();
    });
    form.addEventListener("change", () => {
      const source = `/jobs/${section.dataset.job}/projection.png?window=${chosen()}`;
      if (!body.src.endsWith(source)) body.src = source;
    });
    place();
  }
  slider.addEventListener("input", show);
  for (const button of form.querySelectorAll("input[name=window]")) button.addEventListener("change", show);
  form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
  for (const picture of pictures) {
    picture.addEventListener("wheel", (event) => {
      event.preventDefault();
      slider.value = Number(slider.value) + Math.sign(event.deltaY);
      show();
    }, { passive: false });
  }
})();
