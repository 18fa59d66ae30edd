#include "alambic/remote/token_grades.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace alambic {
namespace {

constexpr float unknown = std::numeric_limits<float>::quiet_NaN();
constexpr char grades_form[8] = {'g', 'r', 'a', 'd', 'e', 's', '1', '\0'};

template <class Number>
void put(std::string& bytes, const Number* numbers, size_t count) {
  bytes.append(reinterpret_cast<const char*>(numbers), count * sizeof(Number));
}

}  // namespace

void TokenGrades::add_row(std::vector<std::pair<int32_t, float>> candidates, int32_t chosen,
                          std::optional<float> chosen_logp) {
  const auto size = static_cast<size_t>(k);
  if (candidates.size() < size) {
    throw MalformedReply(
        fmt::format("{} candidates for a token, asked for {}", candidates.size(), k));
  }
  float own = chosen_logp.value_or(unknown);
  for (const auto& [token, logp] : candidates) {
    if (token == chosen) own = logp;
  }
  // Of equal ones the first id, so that no order of a reply is seen.
  std::ranges::sort(candidates, [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  for (size_t i = 0; i < size; ++i) {
    topk_token.push_back(candidates[i].first);
    topk_logp.push_back(candidates[i].second);
  }
  logp.push_back(own);
}

void TokenGrades::append(const TokenGrades& more) {
  topk_logp.insert(topk_logp.end(), more.topk_logp.begin(), more.topk_logp.end());
  topk_token.insert(topk_token.end(), more.topk_token.begin(), more.topk_token.end());
  logp.insert(logp.end(), more.logp.begin(), more.logp.end());
}

void TokenGrades::soften(double temperature) {
  if (temperature == 1) return;
  for (size_t row = 0; row < logp.size(); ++row) {
    float* const values = topk_logp.data() + row * static_cast<size_t>(k);
    double sum = 0;
    for (int64_t i = 0; i < k; ++i) sum += std::exp(static_cast<double>(values[i]) / temperature);
    const double log_sum = std::log(sum);
    for (int64_t i = 0; i < k; ++i) {
      values[i] = static_cast<float>(static_cast<double>(values[i]) / temperature - log_sum);
    }
    logp[row] = static_cast<float>(static_cast<double>(logp[row]) / temperature - log_sum);
  }
}

std::string TokenGrades::bytes() const {
  std::string bytes(grades_form, sizeof grades_form);
  const int64_t sizes[] = {rows(), k};
  put(bytes, sizes, 2);
  put(bytes, topk_logp.data(), topk_logp.size());
  put(bytes, topk_token.data(), topk_token.size());
  put(bytes, logp.data(), logp.size());
  return bytes;
}

std::optional<TokenGrades> TokenGrades::of_bytes(std::string_view bytes) {
  int64_t sizes[2] = {};
  constexpr size_t head = sizeof grades_form + sizeof sizes;
  if (bytes.size() < head || std::memcmp(bytes.data(), grades_form, sizeof grades_form) != 0)
    return {};
  std::memcpy(sizes, bytes.data() + sizeof grades_form, sizeof sizes);
  const auto [rows, k] = std::pair(sizes[0], sizes[1]);
  constexpr int64_t most = int64_t{1} << 28;
  if (rows < 0 || k < 0 || rows > most || k > most || (k > 0 && rows > most / k)) return {};
  const auto entries = static_cast<size_t>(rows * k), count = static_cast<size_t>(rows);
  if (bytes.size() != head + 8 * entries + 4 * count) return {};
  TokenGrades grades{.k = k};
  grades.topk_logp.resize(entries);
  grades.topk_token.resize(entries);
  grades.logp.resize(count);
  const char* at = bytes.data() + head;
  if (entries > 0) {
    std::memcpy(grades.topk_logp.data(), at, 4 * entries);
    std::memcpy(grades.topk_token.data(), at + 4 * entries, 4 * entries);
  }
  if (count > 0) std::memcpy(grades.logp.data(), at + 8 * entries, 4 * count);
  return grades;
}

void check_grades(const TokenGrades& grades, const GradeRequest& request, int64_t k,
                  int64_t vocabulary) {
  const auto wrong = [](const std::string& what) { throw MalformedReply(what); };
  constexpr float rounding = 1e-3F;
  if (grades.rows() != request.rows()) {
    wrong(fmt::format("{} grades for {} tokens", grades.rows(), request.rows()));
  }
  if (grades.k != k || std::ssize(grades.topk_logp) != k * grades.rows() ||
      std::ssize(grades.topk_token) != k * grades.rows()) {
    wrong(fmt::format("{} candidates a token, asked for {}", grades.k, k));
  }
  std::vector<int32_t> ids;
  for (int64_t row = 0; row < grades.rows(); ++row) {
    const float own = grades.logp[static_cast<size_t>(row)];
    // Infinite is no number either: it would be a gradient's. NaN says that it is not known.
    if (own > rounding || std::isinf(own)) {
      wrong(fmt::format("a log-probability of {} for token {}", own, row + request.from));
    }
    double sum = 0;
    ids.clear();
    for (int64_t i = row * k; i < (row + 1) * k; ++i) {
      const float logp = grades.topk_logp[static_cast<size_t>(i)];
      const int32_t token = grades.topk_token[static_cast<size_t>(i)];
      if (!std::isfinite(logp) || logp > rounding) {
        wrong(fmt::format("a log-probability of {} at token {}", logp, row + request.from));
      }
      if (i > row * k && logp > grades.topk_logp[static_cast<size_t>(i - 1)]) {
        wrong(fmt::format("candidates that do not fall at token {}", row + request.from));
      }
      if (token < 0 || token >= vocabulary) {
        wrong(fmt::format("token {} of a vocabulary of {}", token, vocabulary));
      }
      sum += std::exp(static_cast<double>(logp));
      ids.push_back(token);
    }
    if (k > 1 && sum > static_cast<double>(k) - 1e-3) {
      wrong(
          fmt::format("probability 1 for each of {} candidates at token {}: servers with "
                      "speculative decoding report that",
                      k, row + request.from));
    }
    if (sum > 1 + 1e-3) {
      wrong(fmt::format("probabilities that sum to {:.4f} at token {}", sum, row + request.from));
    }
    std::ranges::sort(ids);
    if (std::ranges::adjacent_find(ids) != ids.end()) {
      wrong(fmt::format("a candidate twice at token {}", row + request.from));
    }
  }
}

}  // namespace alambic
