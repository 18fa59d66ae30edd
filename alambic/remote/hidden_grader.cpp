#include "alambic/remote/hidden_grader.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/sha256.h"
#include "alambic/hub/http.h"
#include "alambic/io/safetensors.h"

namespace alambic {
namespace {

constexpr size_t digest_size = 64;
constexpr char hidden_form[8] = {'h', 'i', 'd', 'd', 'e', 'n', '1', '\0'};

int64_t size_of(Dtype dtype) { return dtype == Dtype::BF16 ? 2 : 4; }

}  // namespace

int64_t HiddenRows::rows() const {
  return width == 0 ? 0 : std::ssize(numbers) / (width * size_of(dtype));
}

std::string HiddenRows::bytes() const {
  std::string bytes(hidden_form, sizeof hidden_form);
  const int64_t sizes[] = {width, size_of(dtype)};
  bytes.append(reinterpret_cast<const char*>(sizes), sizeof sizes);
  return bytes + head + numbers;
}

std::optional<HiddenRows> HiddenRows::of_bytes(std::string_view bytes) {
  int64_t sizes[2] = {};
  constexpr size_t begin = sizeof hidden_form + sizeof sizes;
  if (bytes.size() < begin + digest_size ||
      std::memcmp(bytes.data(), hidden_form, sizeof hidden_form) != 0)
    return {};
  std::memcpy(sizes, bytes.data() + sizeof hidden_form, sizeof sizes);
  HiddenRows rows{.dtype = sizes[1] == 2 ? Dtype::BF16 : Dtype::F32,
                  .width = sizes[0],
                  .head = std::string(bytes.substr(begin, digest_size)),
                  .numbers = std::string(bytes.substr(begin + digest_size))};
  constexpr int64_t widest = int64_t{1} << 24;
  if (rows.width < 1 || rows.width > widest || size_of(rows.dtype) != sizes[1]) return {};
  if (std::ssize(rows.numbers) % (rows.width * sizes[1]) != 0) return {};
  return rows;
}

const std::string& HiddenGrader::head(const std::string& digest) {
  if (!head_.empty()) return head_;
  const std::string key = "head " + digest;
  if (Journal* const journal = grader_->journal()) {
    if (auto kept = journal->find(key)) return head_ = std::move(*kept);
  }
  std::string bytes;
  const Exchange exchange{.route = "/v1/head?model=" + url_encoded(grader_->facts().model),
                          .max_bytes = uint64_t{1} << 36,
                          .read = [&](const Answer& answer) {
                            bytes = answer.body;
                            return Usage();
                          }};
  grader_->client().run({&exchange, 1});
  if (sha256(bytes) != digest) {
    throw input_error("{} has another head than the one that its hidden states are for",
                      grader_->client().endpoint().name())
        .with_hint("the server was started anew with another model; start the run again");
  }
  if (Journal* const journal = grader_->journal()) {
    const Journal::Reply reply{.key = key, .bytes = bytes, .facts = {}};
    journal->add({&reply, 1});
  }
  return head_ = std::move(bytes);
}

namespace {

std::vector<HiddenRows> read_states(const std::string& body,
                                    std::span<const GradeRequest> requests) {
  const SafetensorsHeader file = [&] {
    try {
      return parse_safetensors(std::as_bytes(std::span(body)), "the grades");
    } catch (const Error& error) {
      throw MalformedReply(error.what());
    }
  }();
  const TensorView* hidden = tensor_named(file.tensors, "hidden");
  const auto digest = file.metadata.find("head");
  if (hidden == nullptr || hidden->shape.size() != 2 || digest == file.metadata.end() ||
      digest->second.size() != digest_size ||
      (hidden->dtype != Dtype::F32 && hidden->dtype != Dtype::BF16)) {
    throw MalformedReply("no hidden states with the digest of their head");
  }
  int64_t rows = 0;
  for (const GradeRequest& request : requests) rows += request.rows();
  if (hidden->shape[0] != rows || hidden->shape[1] < 1) {
    throw MalformedReply(
        fmt::format("hidden states of {} tokens, asked for {}", hidden->shape[0], rows));
  }
  const int64_t row_bytes = hidden->shape[1] * size_of(hidden->dtype);
  std::vector<HiddenRows> all;
  const auto* at = reinterpret_cast<const char*>(hidden->bytes.data());
  for (const GradeRequest& request : requests) {
    const auto size = static_cast<size_t>(request.rows() * row_bytes);
    all.push_back({.dtype = hidden->dtype,
                   .width = hidden->shape[1],
                   .head = digest->second,
                   .numbers = std::string(at, size)});
    at += size;
  }
  return all;
}

std::string body_of(const RemoteGrader& grader, const std::vector<GradeRequest>& requests) {
  nlohmann::ordered_json body = {{"model", grader.facts().model},
                                 {"sequences", nlohmann::ordered_json::array()},
                                 {"from", nlohmann::ordered_json::array()},
                                 {"hidden", true},
                                 {"tokenizer", grader.tokenizer().digest()}};
  for (const GradeRequest& request : requests) {
    body["sequences"].push_back(request.tokens);
    body["from"].push_back(request.from);
  }
  return body.dump();
}

/// Requests of some thousand tokens together, by their numbers.
std::vector<std::vector<size_t>> batches(std::span<const GradeRequest> requests,
                                         const std::vector<std::optional<HiddenRows>>& known) {
  constexpr int64_t most = 16384;
  std::vector<std::vector<size_t>> together;
  int64_t tokens = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    if (known[i]) continue;
    const int64_t more = std::ssize(requests[i].tokens);
    if (together.empty() || tokens + more > most) {
      together.emplace_back();
      tokens = 0;
    }
    tokens += more;
    together.back().push_back(i);
  }
  return together;
}

}  // namespace

std::vector<HiddenRows> HiddenGrader::states(std::span<const GradeRequest> requests) {
  grader_->probe();
  Journal* const journal = grader_->journal();
  std::vector<std::optional<HiddenRows>> all(requests.size());
  std::vector<std::string> keys;
  for (size_t i = 0; i < requests.size(); ++i) {
    keys.push_back(grader_->key_of_part(requests[i], -1));
    const auto kept = journal != nullptr ? journal->find(keys[i]) : std::nullopt;
    if (kept) all[i] = HiddenRows::of_bytes(*kept);
  }
  std::vector<Exchange> exchanges;
  for (const std::vector<size_t>& group : batches(requests, all)) {
    std::vector<GradeRequest> asked;
    for (const size_t i : group) asked.push_back(requests[i]);
    Exchange exchange{.route = "/v1/grade", .body = body_of(*grader_, asked)};
    exchange.max_bytes = uint64_t{1} << 33;
    for (const GradeRequest& one : asked) exchange.most.input_tokens += std::ssize(one.tokens);
    exchange.read = [&all, &keys, journal, group, asked = std::move(asked),
                     most = exchange.most](const Answer& answer) {
      std::vector<HiddenRows> rows = read_states(answer.body, asked);
      std::vector<Journal::Reply> replies;
      for (size_t i = 0; i < group.size() && journal != nullptr; ++i) {
        replies.push_back({.key = keys[group[i]],
                           .bytes = rows[i].bytes(),
                           .facts = {.usage = i == 0 ? most : Usage(),
                                     .attempts = answer.attempts,
                                     .seconds = answer.seconds}});
      }
      if (journal != nullptr) journal->add(replies);
      for (size_t i = 0; i < group.size(); ++i) all[group[i]] = std::move(rows[i]);
      return most;
    };
    exchanges.push_back(std::move(exchange));
  }
  if (!exchanges.empty()) grader_->client().run(exchanges);
  std::vector<HiddenRows> states;
  for (auto& rows : all) states.push_back(std::move(*rows));
  return states;
}

}  // namespace alambic
