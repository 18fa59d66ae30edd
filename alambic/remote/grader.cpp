#include "alambic/remote/grader.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/sha256.h"
#include "alambic/remote/probe.h"

namespace alambic {

RemoteGrader::RemoteGrader(GraderSettings settings, const Tokenizer& tokenizer,
                           std::shared_ptr<Budget> budget)
    : settings_(std::move(settings)),
      tokenizer_(tokenizer),
      client_(settings_.endpoint, settings_.key, settings_.client, std::move(budget)) {}

const ServerFacts& RemoteGrader::probe() {
  identify();
  if (!wire_) probe_server(*this);
  return facts_;
}

const ServerFacts& RemoteGrader::identify() {
  if (facts_.protocol == Protocol::automatic) identify_server(*this);
  return facts_;
}

void RemoteGrader::keep_in(fs::path folder, std::string name) {
  journal_folder_ = std::move(folder);
  journal_name_ = std::move(name);
}

Journal* RemoteGrader::journal() {
  if (!journal_ && !journal_folder_.empty()) {
    journal_ = std::make_unique<Journal>(journal_folder_, journal_name_);
    client_.take_over(journal_->usage());
  }
  return journal_.get();
}

std::string RemoteGrader::key_of_part(const GradeRequest& part, int64_t k) const {
  std::string text =
      fmt::format("grade 1\n{}\n{}\n{}\n{}\n{}\n{}\n", settings_.endpoint.url(""),
                  protocol_name(facts_.protocol), facts_.model, tokenizer_.digest(), k, part.from);
  text.append(reinterpret_cast<const char*>(part.tokens.data()),
              part.tokens.size() * sizeof(part.tokens.front()));
  return sha256(text);
}

namespace {

/// A part of a sequence, and where its rows belong.
struct Part {
  GradeRequest request;
  std::string key;
  std::optional<TokenGrades> grades;
};

}  // namespace

/// One call of RemoteGrader::grade.
struct Grading {
  RemoteGrader& grader;
  std::vector<Part> parts;
  int64_t k;
  std::function<void(int64_t)> too_long = {};

  int64_t vocabulary() const { return grader.tokenizer().size(); }

  void add(const GradeRequest& request) {
    parts.push_back({.request = request, .key = grader.key_of_part(request, k)});
    Part& part = parts.back();
    if (!grader.journal_) return;
    const auto bytes = grader.journal_->find(part.key);
    if (bytes) part.grades = TokenGrades::of_bytes(*bytes);
    if (!part.grades) return;
    check_grades(*part.grades, request, k, vocabulary());
    ++grader.replayed_;
  }

  // Asks for what is not there, so many parts together.
  void ask() {
    std::vector<size_t> missing;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i].grades) missing.push_back(i);
    }
    std::vector<std::vector<size_t>> together;
    constexpr int64_t tokens_together = 16384;
    int64_t tokens = 0;
    for (const size_t i : missing) {
      const int64_t more = std::ssize(parts[i].request.tokens);
      const bool full = together.empty() ||
                        together.back().size() == grader.wire().most_together() ||
                        tokens + more > tokens_together;
      if (full) together.emplace_back();
      tokens = full ? more : tokens + more;
      together.back().push_back(i);
    }
    send(together);
  }

  void send(const std::vector<std::vector<size_t>>& together) {
    std::vector<Exchange> exchanges;
    for (const std::vector<size_t>& group : together) exchanges.push_back(exchange_of(group));
    if (exchanges.empty()) return;
    const std::vector<size_t> refused = grader.client().run(exchanges);
    if (refused.empty()) return;
    std::vector<std::vector<size_t>> single;
    for (const size_t number : refused) {
      for (const size_t i : together[number]) single.push_back({i});
    }
    send(single);
  }

  // Tokens outside a server's most likely ones, which it does not grade by themselves: their places
  // are asked for with all candidates.
  void fill_unknown() {
    Grading all{.grader = grader, .parts = {}, .k = vocabulary()};
    std::vector<float*> places;
    for (Part& part : parts) {
      for (int64_t row = 0; row < part.request.rows(); ++row) {
        float& logp = part.grades->logp[static_cast<size_t>(row)];
        if (!std::isnan(logp)) continue;
        const auto& tokens = part.request.tokens;
        const int64_t place = part.request.from + row;
        all.add({.tokens = {tokens.begin(), tokens.begin() + place + 1}, .from = place});
        places.push_back(&logp);
      }
    }
    if (places.empty()) return;
    all.ask();
    for (size_t i = 0; i < places.size(); ++i) *places[i] = all.parts[i].grades->logp.at(0);
  }

  Exchange exchange_of(const std::vector<size_t>& group) {
    std::vector<GradeRequest> requests;
    Exchange exchange{
        .route = grader.wire().route(), .parts = std::ssize(group), .too_long = too_long};
    for (const size_t i : group) {
      requests.push_back(parts[i].request);
      exchange.most.input_tokens += std::ssize(parts[i].request.tokens);
      exchange.most.output_tokens += 1;
      // JSON of a candidate takes some 70 bytes (remote.md §1); the cap is generous.
      exchange.max_bytes +=
          static_cast<uint64_t>(std::ssize(parts[i].request.tokens) * (300 * (k + 2)));
    }
    exchange.body = grader.wire().body(grader.facts().model, requests, k);
    exchange.read = [this, group, requests = std::move(requests), most = exchange.most](
                        const Answer& answer) { return take(group, requests, most, answer); };
    return exchange;
  }

  void keep(const std::vector<size_t>& group, const std::vector<TokenGrades>& grades,
            const Usage& usage, const Answer& answer) const {
    const auto id = answer.headers.find("x-request-id");
    std::vector<Journal::Reply> replies;
    for (size_t i = 0; i < group.size(); ++i) {
      replies.push_back({.key = parts[group[i]].key,
                         .bytes = grades[i].bytes(),
                         .facts = {.usage = i == 0 ? usage : Usage(),
                                   .attempts = answer.attempts,
                                   .seconds = answer.seconds,
                                   .request_id = id == answer.headers.end() ? "" : id->second}});
    }
    grader.journal_->add(replies);
  }

  Usage take(const std::vector<size_t>& group, const std::vector<GradeRequest>& requests,
             const Usage& most, const Answer& answer) {
    std::vector<TokenGrades> grades = grader.wire().read(answer.body, requests, k);
    for (size_t i = 0; i < group.size(); ++i) {
      check_grades(grades.at(i), requests[i], k, vocabulary());
    }
    const Usage usage = grader.wire().usage(answer.body).value_or(most);
    if (grader.journal_) keep(group, grades, usage, answer);
    for (size_t i = 0; i < group.size(); ++i) parts[group[i]].grades = std::move(grades[i]);
    return usage;
  }
};

std::vector<TokenGrades> RemoteGrader::grade(std::span<const GradeRequest> requests) {
  probe();
  journal();
  Grading grading{.grader = *this, .k = settings_.k};
  std::vector<size_t> first_part;
  for (const GradeRequest& request : requests) {
    first_part.push_back(grading.parts.size());
    for (const GradeRequest& part : wire_->parts(request)) grading.add(part);
  }
  first_part.push_back(grading.parts.size());
  grading.ask();
  if (settings_.needs_logp && settings_.k < tokenizer_.size()) grading.fill_unknown();
  std::vector<TokenGrades> all;
  for (size_t r = 0; r < requests.size(); ++r) {
    TokenGrades& grades = all.emplace_back(TokenGrades{.k = settings_.k});
    for (size_t i = first_part[r]; i < first_part[r + 1]; ++i) {
      grades.append(*grading.parts[i].grades);
    }
    grades.soften(settings_.temperature);
  }
  return all;
}

/// Why a text is not graded.
struct RemoteGrader::Refusal {
  int64_t context = 0;  ///< that the server names; 0: none
};

std::optional<RemoteGrader::Refusal> RemoteGrader::refusal_of(int64_t tokens) {
  const std::vector<int32_t> words = probe_tokens(tokenizer_, 32, 0);
  GradeRequest request{.from = tokens - 1};
  for (size_t i = 0; std::ssize(request.tokens) < tokens; ++i) {
    request.tokens.push_back(words[i % words.size()]);
  }
  std::optional<Refusal> refusal;
  Grading grading{.grader = *this, .k = settings_.k, .too_long = [&](int64_t context) {
                    refusal = {.context = context};
                  }};
  for (const GradeRequest& part : wire_->parts(request)) grading.add(part);
  grading.ask();
  return refusal;
}

void RemoteGrader::try_length(int64_t tokens) {
  probe();
  int64_t fits = std::ssize(probe_tokens(tokenizer_, 32, 0)), refused = tokens;
  if (facts_.positions > 0 || tokens <= fits) return;
  std::optional<Refusal> refusal = refusal_of(tokens);
  if (!refusal) return;
  while (facts_.positions == 0) {
    if (refusal && refusal->context > fits && refusal->context <= refused) {
      facts_.positions = refusal->context;
    } else if (refused - fits <= 1 + fits / 64) {
      facts_.positions = fits + 1;  // there is room for the token that servers insist on writing
    } else {
      const int64_t half = (fits + refused) / 2;
      refusal = refusal_of(half);
      (refusal ? refused : fits) = half;
    }
  }
}

}  // namespace alambic
