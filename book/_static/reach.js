// Lets a keyboard reach what is too wide for its page: code, tables, outputs, equations.
(function () {
  "use strict";
  var BOXES = "pre, .nboutput > .output_area, .cell_output > .output, .jp-RenderedHTMLCommon, " +
    ".pst-scrollable-table-container, .bd-article div.math";

  // All is measured before anything is set, and nothing that is folded: else each box costs the
  // page a layout (fifty of them on a page of evidence).
  function reach() {
    var boxes = Array.from(document.querySelectorAll(BOXES)).filter(function (box) {
      return !box.checkVisibility || box.checkVisibility();
    });
    var wide = boxes.map(function (box) {
      return box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
    });
    boxes.forEach(function (box, k) {
      if (wide[k]) {
        box.tabIndex = 0;
      } else if (box.hasAttribute("tabindex")) {
        box.removeAttribute("tabindex");
      }
    });
  }

  var waiting;
  function soon() {
    clearTimeout(waiting);
    waiting = setTimeout(reach, 150);
  }

  window.addEventListener("load", reach);
  window.addEventListener("resize", soon);
  document.addEventListener("toggle", soon, true); // what was folded can be measured now
})();
