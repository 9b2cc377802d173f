// Addresses of the app's own pages have no dot in their last part: each is index.html.
function handler(event) {
  var request = event.request;
  var page = request.uri.split('/').pop();
  if (page.indexOf('.') === -1) {
    request.uri = '/index.html';
  }
  return request;
}
