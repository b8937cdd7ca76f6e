// Paper is white: the dark theme is put off while a page prints.
(function () {
  "use strict";
  var root = document.documentElement, theme;

  window.addEventListener("beforeprint", function () {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", function () {
    root.dataset.theme = theme;
  });
})();
