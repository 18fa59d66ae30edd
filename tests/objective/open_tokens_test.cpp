// What a teacher says of the text that its student wrote in shorter tokens, against enumeration.
#include "alambic/objective/open_tokens.h"

#include <gtest/gtest.h>

namespace alambic::open_tokens_test {
namespace {

Tensor ids(const std::vector<int64_t>& values) { return at::tensor(values, at::kLong); }

// A teacher that writes a, b, c and "abc", and never the last in three tokens; its student has the
// letters alone, which are the cells.
struct Teacher {
  enum Token { a, b, c, abc };
  static constexpr int64_t tokens = 4, cells = 3;
  static constexpr const char* text[] = {"a", "b", "c", "abc"};
  Tensor row_SV = (2 * at::randn({64, tokens}, at::make_generator<at::CPUGeneratorImpl>(5),
                                 at::TensorOptions().dtype(at::kDouble)))
                      .softmax(1);

  // After these tokens.
  Tensor row_V(const std::vector<int64_t>& history) const {
    int64_t state = 0;
    for (size_t i = 0; i < history.size(); ++i) state = (state * 5 + history[i] + 1) % 64;
    const Tensor row = row_SV[state].clone();
    const size_t n = history.size();
    if (n > 1 && history[n - 2] == a && history[n - 1] == b) row[c] = 0;
    return row / row.sum();
  }

  // Probability that its text begins with this.
  double begins(const std::string& prefix, std::vector<int64_t> history = {}) const {
    if (prefix.empty()) return 1;
    const Tensor row = row_V(history);
    double sum = 0;
    for (int64_t t = 0; t < tokens; ++t) {
      const std::string bytes = text[t];
      const double p = row[t].item<double>();
      if (bytes.starts_with(prefix)) {
        sum += p;
      } else if (prefix.starts_with(bytes)) {
        std::vector<int64_t> more = history;
        more.push_back(t);
        sum += p * begins(prefix.substr(bytes.size()), more);
      }
    }
    return sum;
  }
};

// Texts of one letter a span, one after another.
struct Texts : Teacher {
  std::vector<std::vector<int64_t>> texts;
  SpanMap map;

  explicit Texts(std::vector<std::vector<int64_t>> given) : texts(std::move(given)) {
    std::vector<int64_t> sequence_K, cell_K;
    for (size_t s = 0; s < texts.size(); ++s) {
      for (const int64_t letter : texts[s]) {
        sequence_K.push_back(static_cast<int64_t>(s));
        cell_K.push_back(letter);
      }
    }
    const Tensor span_M = at::arange(static_cast<int64_t>(cell_K.size()));
    TokenPaths paths{.path_begin = {0, 0, 0, 0, 3},
                     .path = {a, b, c},
                     .token_begin = {0, 1, 1, 1},
                     .token = {abc}};
    map = {.span_M = span_M, .span_L = span_M, .sequence_K = ids(sequence_K)};
    map.cell_K = ids(cell_K);
    map.cells =
        std::make_shared<TokenCells>(TokenCells{ids({a, b, c}), ids({a, b, c, a}), cells, nullptr,
                                                std::make_shared<TokenPaths>(std::move(paths))});
  }

  // The teacher's buckets at every span, `rows` spans at a time.
  Tensor mixed_KB(int64_t rows) const {
    std::vector<Tensor> row_KV;
    for (const auto& letters : texts) {
      for (size_t k = 0; k < letters.size(); ++k) {
        row_KV.push_back(row_V({letters.begin(), letters.begin() + static_cast<int64_t>(k)}));
      }
    }
    const Tensor p_KV = at::stack(row_KV);
    const Tensor mass_KB = at::zeros({p_KV.size(0), cells + 1}, at::kDouble);
    mass_KB.scatter_add_(1, map.cells->teacher_V.unsqueeze(0).expand_as(p_KV), p_KV);
    const Tensor logit_KB = mass_KB.log() + 3;
    const PiecePlaces places(map);
    OpenTokens open(places, map.cells->teacher_paths, std::vector<int64_t>(places.cell_Z.size()));
    for (int64_t begin = 0; begin < p_KV.size(0); begin += rows) {
      const int64_t count = std::min(rows, p_KV.size(0) - begin);
      const auto part = [&](const Tensor& all) { return all.narrow(0, begin, count); };
      // Rows may be shifted.
      open.mix(begin, part(p_KV).log() + 3, part(map.cell_K), at::zeros({count}, at::kDouble),
               part(logit_KB));
    }
    return logit_KB.softmax(1);
  }

  Tensor expected_KB() const {
    std::vector<double> all;
    for (const auto& letters : texts) {
      std::string prefix;
      for (const int64_t letter : letters) {
        for (const char next : {'a', 'b', 'c'})
          all.push_back(begins(prefix + next) / begins(prefix));
        all.push_back(0);
        prefix += text[letter];
      }
    }
    return at::tensor(all, at::kDouble).view({-1, cells + 1});
  }
};

using Letters = std::vector<int64_t>;
const std::vector<Letters> some = {{Teacher::a, Teacher::b, Teacher::a, Teacher::c, Teacher::a,
                                    Teacher::a, Teacher::b, Teacher::b},
                                   {Teacher::b, Teacher::a},
                                   {Teacher::b, Teacher::c, Teacher::a, Teacher::b, Teacher::b}};

// Bug: the teacher's row behind a lone "a" alone. It never writes that where it writes "abc", so
// its student learned noise there, and forgot to go on with "bc".
TEST(OpenTokens, TheTeachersBucketsAreThoseOfItsText) {
  const Texts texts(some);
  const Tensor expected_KB = texts.expected_KB();
  for (const int64_t rows : {1, 4, 100}) {
    EXPECT_LT((texts.mixed_KB(rows) - expected_KB).abs().max().item<double>(), 1e-6) << rows;
  }
  EXPECT_LT((texts.mixed_KB(3).sum(1) - 1).abs().max().item<double>(), 1e-12);
}

// What was masked between two spans is unknown to both.
TEST(OpenTokens, NothingStaysOpenOverAGap) {
  Texts texts({{Teacher::a, Teacher::b}});
  texts.map.span_L = ids({0, -1, 1});
  const Tensor mixed_KB = texts.mixed_KB(2);
  EXPECT_NEAR(mixed_KB[1][Teacher::b].item<double>(), texts.row_V({Teacher::a})[1].item<double>(),
              1e-12);
  texts.map.span_L = texts.map.span_M;
  EXPECT_GT(texts.mixed_KB(2)[1][Teacher::b].item<double>(),
            mixed_KB[1][Teacher::b].item<double>());
}

TEST(OpenTokens, WithoutPathsNothingMoves) {
  Texts texts(some);
  const Tensor mixed_KB = texts.mixed_KB(100);
  texts.map.cells = std::make_shared<TokenCells>(
      TokenCells{ids({0, 1, 2}), ids({0, 1, 2, 0}), 3, nullptr, nullptr});
  const Tensor rows_KB = texts.mixed_KB(100);
  EXPECT_NEAR(rows_KB[0][0].item<double>(), mixed_KB[0][0].item<double>(), 1e-12);
  EXPECT_GT((rows_KB - mixed_KB).abs().max().item<double>(), 0.1);
}

}  // namespace
}  // namespace alambic::open_tokens_test
