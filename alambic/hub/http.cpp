#include "alambic/hub/http.h"

#include <array>
#include <exception>
#include <memory>

#include "alambic/base/error.h"
#include "alambic/hub/curl_library.h"
#include "alambic/hub/header_line.h"

namespace alambic {

namespace {

struct Transfer {
  const CurlLibrary& curl;
  CURL* handle;
  const HttpBody& body;
  HttpReply reply;
  std::exception_ptr thrown;
};

size_t keep_header(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) transfer.reply.headers.emplace_back();
  const auto header = parse_header_line(line);
  if (!header || transfer.reply.headers.empty()) return size;
  transfer.reply.headers.back()[header->name] = header->value;
  return size;
}

size_t on_body(char* data, size_t, size_t size, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  long status = 0;
  transfer.curl.getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status >= 300) return size;  // a page about an error
  try {
    transfer.body(status, {data, size});
    return size;
  } catch (...) {  // it must not pass through C code
    transfer.thrown = std::current_exception();
    return 0;
  }
}

}  // namespace

std::string HttpReply::header(const std::string& name) const {
  for (const auto& one : headers) {
    if (const auto found = one.find(name); found != one.end()) return found->second;
  }
  return "";
}

HttpReply http_get(const HttpRequest& request, const HttpBody& body) {
  const CurlLibrary& curl = curl_library();
  const std::unique_ptr<CURL, decltype(curl.cleanup)> handle(curl.init(), curl.cleanup);
  if (handle == nullptr) throw environment_error("libcurl cannot start a transfer");
  CURL* const h = handle.get();
  Transfer transfer{.curl = curl, .handle = h, .body = body};
  std::array<char, CURL_ERROR_SIZE> reason{};
  const std::string protocols = request.url.starts_with("https:") ? "https" : "http,https";
  const std::string range = std::to_string(request.from) + "-";
  curl.setopt(h, CURLOPT_URL, request.url.c_str());
  curl.setopt(h, CURLOPT_PROTOCOLS_STR, protocols.c_str());
  curl.setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, protocols.c_str());
  curl.setopt(h, CURLOPT_FOLLOWLOCATION, 1L);
  curl.setopt(h, CURLOPT_MAXREDIRS, 5L);
  curl.setopt(h, CURLOPT_NOSIGNAL, 1L);
  curl.setopt(h, CURLOPT_CONNECTTIMEOUT, 20L);
  curl.setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl.setopt(h, CURLOPT_LOW_SPEED_TIME, 30L);
  curl.setopt(h, CURLOPT_USERAGENT, "alambic");
  curl.setopt(h, CURLOPT_ERRORBUFFER, reason.data());
  curl.setopt(h, CURLOPT_HEADERFUNCTION, &keep_header);
  curl.setopt(h, CURLOPT_HEADERDATA, &transfer);
  curl.setopt(h, CURLOPT_WRITEFUNCTION, &on_body);
  curl.setopt(h, CURLOPT_WRITEDATA, &transfer);
  if (request.from > 0) curl.setopt(h, CURLOPT_RANGE, range.c_str());
  if (!request.token.empty()) {
    // libcurl's own way, because it keeps the token from other hosts on redirects.
    curl.setopt(h, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl.setopt(h, CURLOPT_XOAUTH2_BEARER, request.token.c_str());
  }
  const CURLcode code = curl.perform(h);
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  curl.getinfo(h, CURLINFO_RESPONSE_CODE, &transfer.reply.status);
  if (code != CURLE_OK) {
    transfer.reply.failure = reason[0] != '\0' ? reason.data() : curl.strerror(code);
  }
  return std::move(transfer.reply);
}

std::string url_encoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    encoded += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

}  // namespace alambic
