// Cells inside of a token of one of two models: against their definition in scalar loops.
#include "alambic/objective/inside_tokens.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "alambic/objective/piece_divergence.h"
#include "problem.h"

namespace alambic::inside_tokens_test {
namespace {

Tensor ids(const std::vector<int64_t>& values) { return at::tensor(values, at::kLong); }

constexpr int64_t cells = 11, tokens = 37;

// Cells that a token writes. Of those that begin with cell f, some end with each of six cells, and
// some go on over cells 7 and 8, which but for "1 8" nothing ends with: they may be written in
// other ways too.
std::vector<int32_t> path_of(int64_t token) {
  const auto t = static_cast<int32_t>(token);
  if (t < cells) return {t};
  if (t < 29) return {t % 3, t % 7};
  if (t == 29) return {1, 8};
  return {t % 3, 7 + t % 2, t % 5};
}

std::shared_ptr<const TokenPaths> paths() {
  TokenPaths paths;
  std::vector<std::vector<int32_t>> of_cell(cells);
  for (int64_t t = 0; t < tokens; ++t) {
    paths.path_begin.push_back(std::ssize(paths.path));
    const std::vector<int32_t> path = path_of(t);
    if (path.size() < 2) continue;
    paths.path.insert(paths.path.end(), path.begin(), path.end());
    of_cell[path.front()].push_back(static_cast<int32_t>(t));
  }
  paths.path_begin.push_back(std::ssize(paths.path));
  for (const auto& of : of_cell) {
    paths.token_begin.push_back(std::ssize(paths.token));
    paths.token.insert(paths.token.end(), of.begin(), of.end());
  }
  paths.token_begin.push_back(std::ssize(paths.token));
  paths.alone.resize(cells);
  std::iota(paths.alone.begin(), paths.alone.end(), 0);
  return std::make_shared<TokenPaths>(std::move(paths));
}

// Two spans of a model with long tokens beside one whose tokens are the cells. `joins`: the long
// tokens are the student's.
struct InsideProblem : Problem {
  Tensor token_M;
  AlignedStates aligned;
  bool joins;

  explicit InsideProblem(bool joins, double scale = 1) : joins(joins) {
    const Problem wide = random_problem(2, tokens), narrow = random_problem(5, cells);
    const Problem& own = joins ? wide : narrow;
    const Problem& other = joins ? narrow : wide;
    student_MD = own.student_MD * scale;
    student = own.student;
    aligned.states = {.hidden_MD = other.student_MD * 0.7, .head = other.student};
    // Tokens 15: cells 0 1. 31: cells 1 8 1.
    const Tensor long_tokens = ids({15, 31}), long_spans = ids({0, 1});
    const Tensor short_tokens = ids({0, 1, 1, 8, 1}), short_spans = ids({0, 0, 1, 1, 1});
    token_M = joins ? long_tokens : short_tokens;
    aligned.map = {.span_M = joins ? long_spans : short_spans,
                   .span_L = joins ? short_spans : long_spans,
                   .sequence_K = ids({0, 1}),
                   .end_M = at::zeros({token_M.numel()}, at::kBool),
                   .end_L = at::zeros({joins ? 5 : 2}, at::kBool),
                   .token_L = joins ? short_tokens : long_tokens,
                   .student_ends = {},
                   .teacher_ends = {}};
    std::vector<int64_t> first;
    for (int64_t t = 0; t < tokens; ++t) first.push_back(path_of(t).front());
    const Tensor wide_V = ids(first), narrow_V = at::arange(cells);
    aligned.map.cells = std::make_shared<TokenCells>(
        TokenCells{joins ? wide_V : narrow_V, joins ? narrow_V : wide_V, cells,
                   joins ? paths() : nullptr, joins ? nullptr : paths()});
    aligned.map.cell_K = ids({0, 1});
    add(0, 1, 0, 1, 1);
    add(1, 8, 1, 3, 1);
    add(1, 1, 1, 4, 2);
  }
  void add(int64_t span, int64_t cell, int64_t joined, int64_t split, int64_t written) {
    aligned.map.inner.push_back({.span = span,
                                 .cell = cell,
                                 .student = joins ? joined : split,
                                 .teacher = joins ? split : joined,
                                 .student_written = joins ? written : 0,
                                 .teacher_written = joins ? 0 : written});
  }
  Loss loss(const Tensor& hidden_MD, const Head& head, const DivergenceTerm& term, double T,
            const ChunkOptions& chunk) const {
    const int power = info_of(term.kind).temperature_power;
    const DivergenceRow row{.vocabulary = head.vocabulary(),
                            .terms = {{.kind = term.kind,
                                       .parameter = term.parameter,
                                       .value_weight = std::pow(T, power),
                                       .pull_weight = std::pow(T, power - 1)}},
                            .temperature = T,
                            .weight = 1,
                            .softcap = head.softcap,
                            .gradient = false};
    return piece_sum(row, hidden_MD, head, token_M, aligned, chunk);
  }
  Gradients gradients(const DivergenceTerm& term, double T, const ChunkOptions& chunk = {}) const {
    const Tensor hidden = student_MD.detach().clone().requires_grad_();
    Head head = student;
    const Tensor weight = student.weight_VD.dense().detach().clone().requires_grad_();
    head.weight_VD = weight;
    const Loss found = loss(hidden, head, term, T, chunk);
    found.value.backward();
    return {found.value.item<double>(), hidden.grad(), weight.grad(), {}};
  }

  reference::Row own_row(int64_t m, double T) const {
    return masses(logits_of(student_MD[m], student), T);
  }
  reference::Row other_row(int64_t l, double T) const {
    return masses(logits_of(aligned.states.hidden_MD[l], aligned.states.head), T);
  }
  static reference::Row masses(const reference::Row& logits, double T) {
    reference::Row row = reference::log_softmax(logits, T);
    for (double& mass : row) mass = std::exp(mass);
    return row;
  }
};

// Masses by the first cells.
reference::Row by_cells(const reference::Row& row) {
  reference::Row mass(cells, 0);
  for (size_t t = 0; t < row.size(); ++t) {
    mass[row.size() == cells ? t : static_cast<size_t>(path_of(static_cast<int64_t>(t)).front())] +=
        row[t];
  }
  return mass;
}

struct BothRows {
  reference::Row inside, other;
};

// Cells that may be written in other ways, by what became of them.
int settled_apart = 0, settled_unsaid = 0;

// What is left of the tokens that write `text` and more, beside the row there: a bucket for each
// cell that some of them go on with, and one for all other cells and for the token that ends there.
BothRows left(const reference::Row& long_row, const reference::Row& row,
              const std::vector<int32_t>& text) {
  reference::Row mass(cells, 0);
  std::vector<bool> known(cells, false), certain(cells, false);
  double closed = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    const std::vector<int32_t> path = path_of(t);
    if (path.size() < text.size() || !std::equal(text.begin(), text.end(), path.begin())) continue;
    if (path.size() == text.size()) {
      closed += long_row[t];
      continue;
    }
    const int32_t next = path[text.size()];
    mass[next] += long_row[t];
    known[next] = true;
    if (path.size() == text.size() + 1) certain[next] = true;
  }
  double all = closed;
  for (const double m : mass) all += m;
  closed /= all;
  double other_rest = 0;
  for (int64_t c = 0; c < cells; ++c) {
    mass[c] /= all;
    if (!known[c]) other_rest += row[c];
  }
  // The unknown part lies where it is missed most.
  for (bool moved = true; moved;) {
    moved = false;
    int64_t least = -1;
    for (int64_t c = 0; c < cells; ++c) {
      if (!known[c] || certain[c]) continue;
      if (least < 0 || mass[c] / row[c] < mass[least] / row[least]) least = c;
    }
    if (least < 0 || mass[least] / row[least] >= closed / other_rest) break;
    closed += mass[least];
    other_rest += row[least];
    known[least] = false;
    moved = true;
    ++settled_unsaid;
  }
  for (int64_t c = 0; c < cells; ++c) settled_apart += known[c] && !certain[c] ? 1 : 0;
  BothRows rows;
  for (int64_t c = 0; c < cells; ++c) {
    if (!known[c]) continue;
    rows.inside.push_back(mass[c]);
    rows.other.push_back(row[c]);
  }
  rows.inside.push_back(closed);
  rows.other.push_back(other_rest);
  return rows;
}

double distance(const DivergenceTerm& term, double T, reference::Row q, reference::Row p) {
  double sum_q = 0, sum_p = 0;
  for (const double mass : q) sum_q += mass;
  for (const double mass : p) sum_p += mass;
  EXPECT_NEAR(sum_q, 1, 1e-12);
  EXPECT_NEAR(sum_p, 1, 1e-12);
  for (reference::Row* row : {&q, &p}) {
    for (double& mass : *row) mass = std::log(mass);
  }
  return std::pow(T, info_of(term.kind).temperature_power) *
         reference::distance(term.kind, term.parameter, q, p);
}

double definition(const InsideProblem& problem, const DivergenceTerm& term, double T) {
  const auto first = [&](int64_t m, int64_t l) {
    return distance(term, T, by_cells(problem.own_row(m, T)), by_cells(problem.other_row(l, T)));
  };
  const auto inner = [&](int64_t m, int64_t l, const std::vector<int32_t>& text) {
    const reference::Row own = problem.own_row(m, T), other = problem.other_row(l, T);
    if (problem.joins) {
      const BothRows rows = left(own, by_cells(other), text);
      return distance(term, T, rows.inside, rows.other);
    }
    const BothRows rows = left(other, by_cells(own), text);
    return distance(term, T, rows.other, rows.inside);
  };
  const auto at = [&](int64_t joined, int64_t split, const std::vector<int32_t>& text) {
    if (!problem.joins) return inner(split, joined, text);
    // A token is chosen at once: by what the teacher thinks of its first cells.
    double weight = 1;
    for (size_t i = 0; i < text.size(); ++i) {
      const auto row = split - std::ssize(text) + static_cast<int64_t>(i);
      weight *= by_cells(problem.other_row(row, T))[static_cast<size_t>(text[i])];
    }
    return weight * inner(joined, split, text);
  };
  return first(0, 0) + (problem.joins ? first(1, 2) : first(2, 1)) + at(0, 1, {0}) + at(1, 3, {1}) +
         at(1, 4, {1, 8});
}

struct Kind {
  DivergenceTerm term;
  double T;
};
const Kind kinds[] = {{{DivergenceKind::reverse_kl}, 1},
                      {{DivergenceKind::forward_kl}, 2},
                      {{DivergenceKind::jsd, 0.3}, 1},
                      {{DivergenceKind::skew_kl, 0.2}, 1},
                      {{DivergenceKind::tvd}, 1.5}};

TEST(InsideTokens, EqualTheDefinition) {
  for (const bool joins : {true, false}) {
    const InsideProblem problem(joins);
    for (const auto& [term, T] : kinds) {
      EXPECT_NEAR(
          problem.loss(problem.student_MD, problem.student, term, T, {}).value.item<double>(),
          definition(problem, term, T), 1e-9)
          << joins << " " << static_cast<int>(term.kind);
    }
  }
}

// Prevents a comparison with a cell that the model may have meant in another way: of these some
// have a bucket of their own and some have none.
TEST(InsideTokens, UncertainCellsAreAsGoodAsTheyMayBe) {
  settled_apart = settled_unsaid = 0;
  for (const bool joins : {true, false}) {
    for (const double scale : {-2.0, -1.0, -0.5, 0.25, 1.5, 2.5}) {
      const InsideProblem problem(joins, scale);
      for (const auto& [term, T] : kinds) {
        EXPECT_NEAR(
            problem.loss(problem.student_MD, problem.student, term, T, {}).value.item<double>(),
            definition(problem, term, T), 1e-9)
            << joins << " " << scale << " " << static_cast<int>(term.kind);
      }
    }
  }
  EXPECT_GE(settled_apart, 10);
  EXPECT_GE(settled_unsaid, 10);
}

TEST(InsideTokens, GradientsAreTheDefinitionsDifferences) {
  for (const bool joins : {true, false}) {
    InsideProblem problem(joins);
    for (const double softcap : {0.0, 5.0}) {
      problem.student.softcap = softcap;
      for (const auto& [term, T] : kinds) {
        SCOPED_TRACE(testing::Message() << joins << " " << static_cast<int>(term.kind));
        const Gradients found = problem.gradients(term, T);
        const auto value = [&, &term = term, T = T] { return definition(problem, term, T); };
        EXPECT_LT(
            relative_difference(found.hidden_MD, finite_differences(problem.student_MD, value)),
            1e-5);
        EXPECT_LT(relative_difference(found.weight_VD,
                                      finite_differences(problem.student.weight_VD.dense(), value)),
                  1e-5);
        const Gradients chunked = problem.gradients(term, T, {.rows = 2});
        EXPECT_LT(relative_difference(chunked.weight_VD, found.weight_VD), 1e-12);
      }
    }
  }
}

TEST(InsideTokens, AShiftOfEitherModelsLogitsChangesNothing) {
  for (const bool joins : {true, false}) {
    InsideProblem problem(joins);
    problem.student.bias_V = at::zeros({problem.student.vocabulary()}, at::kDouble);
    problem.aligned.states.head.bias_V =
        at::zeros({problem.aligned.states.head.vocabulary()}, at::kDouble);
    const Gradients before = problem.gradients({DivergenceKind::reverse_kl}, 1);
    problem.student.bias_V = problem.student.bias_V + 3;
    problem.aligned.states.head.bias_V = problem.aligned.states.head.bias_V - 7;
    const Gradients after = problem.gradients({DivergenceKind::reverse_kl}, 1);
    EXPECT_NEAR(after.value, before.value, 1e-12);
    EXPECT_LT(relative_difference(after.weight_VD, before.weight_VD), 1e-10);
  }
}

// float32, and a part that is as good as nothing.
TEST(InsideTokens, AreFiniteForSureModels) {
  for (const bool joins : {true, false}) {
    InsideProblem problem(joins);
    problem.student_MD = (problem.student_MD * 40).to(at::kFloat);
    problem.student.weight_VD = problem.student.weight_VD.dense().to(at::kFloat);
    problem.aligned.states.hidden_MD = (problem.aligned.states.hidden_MD * 40).to(at::kFloat);
    problem.aligned.states.head.weight_VD =
        problem.aligned.states.head.weight_VD.dense().to(at::kFloat);
    for (const DivergenceKind kind : {DivergenceKind::reverse_kl, DivergenceKind::forward_kl}) {
      const Gradients found = problem.gradients({kind}, 1);
      EXPECT_TRUE(std::isfinite(found.value)) << found.value;
      EXPECT_TRUE(found.weight_VD.isfinite().all().item<bool>());
    }
  }
}

}  // namespace
}  // namespace alambic::inside_tokens_test
