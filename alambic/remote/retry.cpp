#include "alambic/remote/retry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "alambic/base/contains.h"
#include "alambic/base/error.h"
#include "alambic/remote/context_words.h"

namespace alambic {
namespace {

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return std::max(0.0, value);
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<double> seconds_until(const std::string& date, double now) {
  std::tm parts{};
  const char* end = ::strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return {};
  return std::max(0.0, static_cast<double>(::timegm(&parts)) - now);
}

// "6m0s", "1.5s", "20ms", "1h2m"
std::optional<double> duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 4> units = {
      {{"ms", 1e-3}, {"h", 3600}, {"m", 60}, {"s", 1}}};
  double seconds = 0;
  if (text.empty()) return {};
  while (!text.empty()) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || !std::isfinite(value) || value < 0) return {};
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    const auto* unit =
        std::ranges::find_if(units, [&](const auto& one) { return text.starts_with(one.first); });
    if (unit == units.end()) return {};
    seconds += value * unit->second;
    text.remove_prefix(unit->first.size());
  }
  return seconds;
}

/// An error's machine-readable words (type, code) and its message, in any of the forms in use.
struct ErrorWords {
  std::string codes, message;
  int64_t context = 0;  // as llama.cpp's server tells it
};

void read_error(const nlohmann::json& error, ErrorWords& words) {
  if (error.is_string()) {
    words.message += error.get<std::string>();
    return;
  }
  if (!error.is_object()) return;
  for (const char* key : {"type", "code", "status", "error_code", "param"}) {
    const auto found = error.find(key);
    if (found != error.end() && found->is_string()) words.codes += found->get<std::string>() + " ";
  }
  const auto context = error.find("n_ctx");
  if (context != error.end() && context->is_number_integer()) words.context = *context;
  const auto message = error.find("message");
  if (message != error.end() && message->is_string()) words.message += message->get<std::string>();
  if (const auto details = error.find("details"); details != error.end()) {
    read_error(*details, words);
  }
}

ErrorWords error_words(const std::string& body) {
  ErrorWords words;
  const nlohmann::json json = nlohmann::json::parse(body.substr(0, 1 << 16), nullptr, false);
  if (!json.is_object()) {
    words.message = body;
    return words;
  }
  for (const char* key : {"error", "detail"}) {
    if (const auto error = json.find(key); error != json.end()) read_error(*error, words);
  }
  read_error(json, words);
  return words;
}

bool is_quota(const ErrorWords& words) {
  for (const char* code :
       {"insufficient_quota", "credit_balance", "billing", "spend_limit", "quota_exceeded"}) {
    if (contains(words.codes, code)) return true;
  }
  return contains(words.message, "per day") || contains(words.message, "PerDay");
}

ReplyClass class_of(const HttpOutcome& outcome, const ErrorWords& words) {
  const long status = outcome.status;
  if (outcome.too_large) return ReplyClass::malformed;
  if (status == 0) return ReplyClass::lost;
  if (status >= 200 && status < 300) return ReplyClass::good;
  if (status >= 300 && status < 400) return ReplyClass::redirect;
  if (status == 401 || status == 403) return ReplyClass::key;
  if (status == 402 || (status == 429 && is_quota(words))) return ReplyClass::quota;
  if (says_too_long(words.codes, words.message)) return ReplyClass::too_long;
  const auto asked = outcome.headers.find("x-should-retry");
  if (asked != outcome.headers.end()) {
    return asked->second == "true" ? ReplyClass::busy : ReplyClass::rejected;
  }
  if (contains(words.codes, "other_tokenizer")) return ReplyClass::rejected;  // ours: 409
  const bool passing = status == 408 || status == 409 || status == 425 || status == 429;
  const bool never = status == 501 || status == 505;
  return passing || (status >= 500 && !never) ? ReplyClass::busy : ReplyClass::rejected;
}

}  // namespace

std::optional<double> retry_after(const std::map<std::string, std::string>& headers, double now) {
  const auto value = [&](const char* name) {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  };
  if (const auto milliseconds = number(value("retry-after-ms"))) return *milliseconds / 1000;
  const std::string after = value("retry-after");
  if (const auto seconds = number(after)) return seconds;
  if (const auto seconds = seconds_until(after, now)) return seconds;
  for (const auto& [kind, left] :
       {std::pair("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
        std::pair("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens")}) {
    if (value(left) != "0") continue;
    if (const auto seconds = duration(value(kind))) return seconds;
  }
  return {};
}

ReplyFacts facts_of(const HttpOutcome& outcome, double now) {
  ReplyFacts facts;
  const bool good = outcome.status >= 200 && outcome.status < 300 && !outcome.too_large;
  const ErrorWords words = good ? ErrorWords() : error_words(outcome.body);
  facts.kind = class_of(outcome, words);
  if (facts.kind == ReplyClass::busy) facts.wait = retry_after(outcome.headers, now);
  if (facts.kind == ReplyClass::too_long) {
    facts.context = words.context > 0 ? words.context : context_named(words.message);
  }
  if (good) return facts;
  if (!outcome.failure.empty()) {
    facts.says = outcome.failure;
  } else {
    const auto place = outcome.headers.find("location");
    const std::string more = facts.kind == ReplyClass::redirect && place != outcome.headers.end()
                                 ? "elsewhere: " + place->second
                                 : words.message;
    facts.says = redacted(fmt::format("status {} {}", outcome.status, more)).substr(0, 500);
  }
  return facts;
}

Verdict decide(const ReplyFacts& facts, const Attempts& so_far, int64_t parts, double draw,
               const RetryLimits& limits) {
  const int64_t n = std::max<int64_t>(0, so_far.failures + so_far.malformed - 1);
  const double backoff = draw * std::min(30.0, 0.5 * std::pow(2.0, static_cast<double>(n)));
  switch (facts.kind) {
    case ReplyClass::good:
      return {Action::accept};
    case ReplyClass::lost:
    case ReplyClass::busy:
      if (so_far.failures > limits.retries) return {Action::stop_resumable};
      if (facts.wait.value_or(0) > limits.longest_wait) return {Action::stop_resumable};
      return {Action::wait, facts.wait.value_or(backoff)};
    case ReplyClass::malformed:
      if (so_far.malformed <= limits.malformed) return {Action::wait, backoff};
      return {parts > 1 ? Action::split : Action::stop_resumable};
    case ReplyClass::too_long:
      return {parts > 1 ? Action::split : Action::stop_resumable};
    case ReplyClass::rejected:
      return {parts > 1 ? Action::split : Action::stop_input};
    case ReplyClass::key:
    case ReplyClass::quota:
    case ReplyClass::redirect:
      return {Action::stop_environment};
  }
  return {Action::stop_resumable};
}

}  // namespace alambic
