// Refusals of the server, in OpenAI's form: {"error": {"message", "type", "param", "code"}}.
#pragma once

#include <stdexcept>
#include <string>

#include "alambic/serve/http_messages.h"

namespace alambic {

struct ApiError : std::runtime_error {
  ApiError(int status, const std::string& message, std::string param = "", std::string code = "")
      : std::runtime_error(message),
        status(status),
        param(std::move(param)),
        code(std::move(code)) {}

  int status;
  std::string param;    ///< field of the request; "": of none
  std::string code;     ///< word for programs, for example "model_not_found"; "": none
  int retry_after = 0;  ///< seconds; 0: not said
};

/// The body: {"error": …}.
std::string error_json(const ApiError& error);
HttpAnswer error_answer(const ApiError& error);
HttpAnswer body_too_long(int64_t limit);
/// 503 for a server that has too much to do, or is about to stop.
ApiError busy(const std::string& message, int retry_after);

}  // namespace alambic
