// Grades of given tokens, as servers make them.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace alambic {

/// A sequence of which a teacher grades the tokens from `from` (at least 1) to the end, each given
/// all before it.
struct GradeRequest {
  std::vector<int32_t> tokens;
  int64_t from = 1;

  int64_t rows() const { return std::ssize(tokens) - from; }
};

/// Grades of R tokens: the K most likely ones of each place, and the token itself.
struct TokenGrades {
  int64_t k = 0;
  std::vector<float> topk_logp;     ///< [R, K], falling
  std::vector<int32_t> topk_token;  ///< [R, K]
  std::vector<float> logp;          ///< [R]; NaN: not known

  int64_t rows() const { return std::ssize(logp); }
  /// Adds a place's candidates in any order, of which the K most likely stay. `chosen`: the graded
  /// token, whose own entry may be one more than K. Throws MalformedReply where there are fewer.
  void add_row(std::vector<std::pair<int32_t, float>> candidates, int32_t chosen,
               std::optional<float> chosen_logp = {});
  void append(const TokenGrades& more);
  /// Grades at another temperature, exact where K is the whole vocabulary.
  void soften(double temperature);

  /// Bytes for a journal, and back; nothing where they are none.
  std::string bytes() const;
  static std::optional<TokenGrades> of_bytes(std::string_view bytes);
};

/// A reply that does not say what it should. Its words hold no key and no more than 500 bytes.
struct MalformedReply : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws MalformedReply unless the grades are log-probabilities of so many tokens: rows and K as
/// asked, finite and not above 0, at most 1 in sum, ids of the vocabulary, none twice.
void check_grades(const TokenGrades& grades, const GradeRequest& request, int64_t k,
                  int64_t vocabulary);

}  // namespace alambic
