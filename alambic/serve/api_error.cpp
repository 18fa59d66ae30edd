#include "alambic/serve/api_error.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "alambic/serve/json_text.h"

namespace alambic {

namespace {

const char* type_of(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status < 500 ? "invalid_request_error" : "server_error";
  }
}

nlohmann::ordered_json or_null(const std::string& text) {
  return text.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(text);
}

}  // namespace

std::string error_json(const ApiError& error) {
  return compact_json({{"error",
                        {{"message", error.what()},
                         {"type", type_of(error.status)},
                         {"param", or_null(error.param)},
                         {"code", or_null(error.code)}}}});
}

HttpAnswer error_answer(const ApiError& error) {
  HttpAnswer answer{.status = error.status, .body = error_json(error)};
  if (error.retry_after > 0) {
    answer.headers.emplace_back("Retry-After", std::to_string(error.retry_after));
  }
  if (error.status == 401) answer.headers.emplace_back("WWW-Authenticate", "Bearer");
  return answer;
}

HttpAnswer body_too_long(int64_t limit) {
  return error_answer(ApiError(
      413,
      fmt::format("the body is longer than {} bytes, the most that this server takes", limit)));
}

ApiError busy(const std::string& message, int retry_after) {
  ApiError error(503, message, "", "server_busy");
  error.retry_after = retry_after;
  return error;
}

}  // namespace alambic
