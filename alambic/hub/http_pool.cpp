#include "alambic/hub/http_pool.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/hub/curl_library.h"
#include "alambic/hub/header_line.h"

namespace alambic {

struct HttpPool::Transfer {
  size_t number = 0;
  PooledCall call;
  HttpOutcome outcome;
  CURL* handle = nullptr;
  curl_slist* headers = nullptr;
  std::array<char, CURL_ERROR_SIZE> reason{};

  ~Transfer() {
    const CurlLibrary& curl = curl_library();
    for (curl_slist* line = headers; line != nullptr; line = line->next) {
      ::explicit_bzero(line->data, std::char_traits<char>::length(line->data));
    }
    curl.slist_free_all(headers);
    if (handle != nullptr) curl.cleanup(handle);
  }
};

namespace {

constexpr uint64_t max_header_bytes = uint64_t{1} << 16;

size_t on_header(char* data, size_t, size_t size, void* user) {
  auto& outcome = *static_cast<HttpOutcome*>(user);
  const std::string_view line(data, size);
  if (line.starts_with("HTTP/")) outcome.headers.clear();  // 100 Continue comes before the reply
  const auto header = parse_header_line(line);
  if (!header) return size;
  if (size > max_header_bytes || outcome.headers.size() > 200) return 0;
  outcome.headers[header->name] = header->value;
  return size;
}

}  // namespace

HttpPool::HttpPool(int64_t connections) {
  const CurlLibrary& curl = curl_library();
  multi_ = curl.multi_init();
  if (multi_ == nullptr) throw environment_error("libcurl cannot start");
  curl.multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(connections));
  curl.multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(connections));
}

HttpPool::~HttpPool() {
  const CurlLibrary& curl = curl_library();
  for (const auto& transfer : transfers_) curl.multi_remove_handle(multi_, transfer->handle);
  transfers_.clear();
  curl.multi_cleanup(multi_);
}

void HttpPool::start(size_t number, PooledCall call) {
  const CurlLibrary& curl = curl_library();
  auto transfer = std::make_unique<Transfer>();
  transfer->number = number;
  transfer->call = std::move(call);
  transfer->handle = curl.init();
  if (transfer->handle == nullptr) throw environment_error("libcurl cannot start a transfer");
  CURL* const h = transfer->handle;
  const PooledCall& of = transfer->call;
  const auto add = [&](const std::string& line) {
    transfer->headers = curl.slist_append(transfer->headers, line.c_str());
  };
  for (const std::string& line : of.headers) add(line);
  if (of.key) {
    std::string line = of.key_header + std::string(of.key->reveal());
    add(line);
    ::explicit_bzero(line.data(), line.size());
  }
  if (!of.body.empty()) {
    add("Content-Type: application/json");
    add("Expect:");  // no second trip for a large body
    curl.setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(of.body.size()));
    curl.setopt(h, CURLOPT_POSTFIELDS, of.body.data());
  }
  curl.setopt(h, CURLOPT_URL, of.url.c_str());
  curl.setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
  curl.setopt(h, CURLOPT_HTTPHEADER, transfer->headers);
  curl.setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
  curl.setopt(h, CURLOPT_NOSIGNAL, 1L);
  curl.setopt(h, CURLOPT_ACCEPT_ENCODING, "");
  curl.setopt(h, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(1000 * std::min(20.0, of.seconds)));
  curl.setopt(h, CURLOPT_TIMEOUT_MS, static_cast<long>(std::ceil(1000 * of.seconds)));
  curl.setopt(h, CURLOPT_USERAGENT, "alambic");
  curl.setopt(h, CURLOPT_PIPEWAIT, 0L);
  if (of.direct) curl.setopt(h, CURLOPT_NOPROXY, "*");
  curl.setopt(h, CURLOPT_ERRORBUFFER, transfer->reason.data());
  curl.setopt(h, CURLOPT_HEADERFUNCTION, &on_header);
  curl.setopt(h, CURLOPT_HEADERDATA, &transfer->outcome);
  curl_write_callback on_body = [](char* data, size_t, size_t size, void* user) -> size_t {
    auto& receiver = *static_cast<Transfer*>(user);
    std::string& body = receiver.outcome.body;
    receiver.outcome.too_large = body.size() + size > receiver.call.max_bytes;
    if (receiver.outcome.too_large) return 0;
    body.append(data, size);
    return size;
  };
  curl.setopt(h, CURLOPT_WRITEFUNCTION, on_body);
  curl.setopt(h, CURLOPT_WRITEDATA, transfer.get());
  if (curl.multi_add_handle(multi_, h) != CURLM_OK) {
    throw environment_error("libcurl cannot take a transfer");
  }
  transfers_.push_back(std::move(transfer));
}

void HttpPool::finish(size_t place, int code, std::vector<std::pair<size_t, HttpOutcome>>& ended) {
  const CurlLibrary& curl = curl_library();
  Transfer& transfer = *transfers_[place];
  HttpOutcome& outcome = transfer.outcome;
  curl.getinfo(transfer.handle, CURLINFO_TOTAL_TIME, &outcome.seconds);
  if (code == CURLE_OK) {
    curl.getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &outcome.status);
  } else {
    outcome.timed_out = code == CURLE_OPERATION_TIMEDOUT;
    const char* words = transfer.reason[0] != '\0' ? transfer.reason.data()
                                                   : curl.strerror(static_cast<CURLcode>(code));
    outcome.failure = outcome.too_large
                          ? fmt::format("a reply of more than {} bytes", transfer.call.max_bytes)
                          : redacted(words);
  }
  curl.multi_remove_handle(multi_, transfer.handle);
  ended.emplace_back(transfer.number, std::move(outcome));
  transfers_.erase(transfers_.begin() + static_cast<std::ptrdiff_t>(place));
}

std::vector<std::pair<size_t, HttpOutcome>> HttpPool::wait(double seconds) {
  const CurlLibrary& curl = curl_library();
  std::vector<std::pair<size_t, HttpOutcome>> ended;
  for (int round = 0; round < 2; ++round) {
    int running = 0, queued = 0;
    curl.multi_perform(multi_, &running);
    while (const CURLMsg* message = curl.multi_info_read(multi_, &queued)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURL* const handle = message->easy_handle;
      const CURLcode code = message->data.result;
      const auto found = std::ranges::find(transfers_, handle, &Transfer::handle);
      finish(static_cast<size_t>(found - transfers_.begin()), code, ended);
    }
    if (!ended.empty() || round == 1) break;
    curl.multi_poll(multi_, nullptr, 0, static_cast<int>(1000 * std::max(0.0, seconds)), nullptr);
  }
  return ended;
}

}  // namespace alambic
