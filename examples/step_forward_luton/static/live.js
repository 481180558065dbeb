/* Keep the list of hits up to date without reloading the page; the server sends it ready made. */
(function () {
  "use strict";

  var list = document.querySelector("[data-list]");
  var status = document.querySelector("[data-status]");

  var source = new EventSource("/events?seen=" + encodeURIComponent(list.dataset.list));
  source.onmessage = function (message) {
    var news = JSON.parse(message.data);
    list.innerHTML = news.list;
    status.textContent = news.status;
  };
})();
