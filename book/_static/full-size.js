// Opens a figure over the whole window, large enough to read on a phone: by its link, or by the
// picture itself. Without this script the link leads to the picture's file.
(function () {
  "use strict";

  // Of a picture's own size, so that its smallest text has 10 pixels or more. One of pixels has 150
  // an inch, one of curves 96.
  var LEAST = 0.75, LEAST_CURVES = 1;
  var view, opener;

  function element(name, attributes, parent) {
    var made = document.createElement(name);
    Object.keys(attributes).forEach(function (key) {
      made.setAttribute(key, attributes[key]);
    });
    parent.appendChild(made);
    return made;
  }

  function build() {
    view = element("dialog", { class: "picture-view", "aria-labelledby": "picture-view-name" }, document.body);
    var head = element("div", { class: "picture-view-head" }, view);
    element("p", { id: "picture-view-name" }, head);
    var close = element("button", { type: "button" }, head);
    close.textContent = "Close";
    close.addEventListener("click", function () {
      view.close();
    });
    // What does not fit is reached by a finger, by the arrow keys or by the wheel.
    element("div", { class: "picture-view-room", tabindex: "0", role: "group", "aria-label": "Picture", autofocus: "" }, view);
    // The theme takes the key for its search box, and so from the dialog.
    view.addEventListener("keydown", function (event) {
      if (event.key === "Escape") view.close();
    });
    view.addEventListener("close", function () {
      view.querySelector(".picture-view-room").textContent = "";
      opener.focus({ preventScroll: true });
    });
  }

  function open(link) {
    if (!view) build();
    opener = link;
    var figure = link.closest("figure");
    var room = view.querySelector(".picture-view-room");
    var number = figure.querySelector(".caption-number");
    view.querySelector("#picture-view-name").textContent = number ? number.textContent.trim() : "Figure";
    var picture = figure.querySelector("img");
    var live = figure.querySelector(".live-chart[data-drawn] svg");
    var shown = (live || picture).cloneNode(true); // a live chart as the reader has set it
    shown.removeAttribute("loading");
    room.appendChild(shown);
    view.showModal();
    room.scrollTo(0, 0);
    if (!live) {
      var own = Number(picture.getAttribute("width")) || picture.naturalWidth;
      var least = /\.svg$/.test(picture.src) ? LEAST_CURVES : LEAST;
      shown.style.width = Math.max(least * own, Math.min(own, room.clientWidth)) + "px";
    }
  }

  document.addEventListener("click", function (event) {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    var link = event.target.closest("a.full-size");
    var figure = event.target.closest(".bd-article figure");
    if (!link && figure && event.target.tagName === "IMG") link = figure.querySelector("a.full-size");
    if (!link || !window.HTMLDialogElement) return;
    event.preventDefault();
    open(link);
  });

  document.documentElement.classList.add("opens-pictures"); // the pointer says so
})();
