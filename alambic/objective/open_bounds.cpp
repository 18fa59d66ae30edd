#include "alambic/objective/open_bounds.h"

#include <algorithm>

#include "alambic/objective/open_tokens.h"

namespace alambic {

OpenBounds::Masses OpenBounds::before(int64_t place) {
  if (!places_.follows_Z.at(place)) {
    closed_ = {1, 1};
    open_.clear();
    unsaid_.clear();
  }
  Masses masses{.closed = closed_, .next = {}, .maybe = {}, .unknown = 0};
  for (const Open& token : open_) {
    masses.next[tokens_.paths->of(token.token)[token.written]] += token.mass;
  }
  for (const Unsaid& unsaid : unsaid_) {
    std::map<int32_t, double> cells;
    for (const int32_t token : unsaid.tokens) {
      cells[tokens_.paths->of(token)[unsaid.written]] = unsaid.most;
    }
    for (const auto& [cell, most] : cells) masses.maybe[cell] += most;
    masses.unknown += unsaid.most;
  }
  return masses;
}

// Leaves the tokens that agree with the cell; those that end with it are closed.
void OpenBounds::follow(int64_t cell, MassRange& closed) {
  const auto agrees = [&](int32_t token, int64_t written) {
    return cell >= 0 && tokens_.paths->of(token)[written] == cell;
  };
  const auto ends = [&](int32_t token, int64_t written) {
    return std::ssize(tokens_.paths->of(token)) == written;
  };
  std::erase_if(open_, [&](const Open& token) { return !agrees(token.token, token.written); });
  std::erase_if(open_, [&](Open& token) {
    if (!ends(token.token, ++token.written)) return false;
    closed += token.mass;
    return true;
  });
  for (Unsaid& unsaid : unsaid_) {
    std::erase_if(unsaid.tokens, [&](int32_t token) { return !agrees(token, unsaid.written); });
    ++unsaid.written;
    const auto ended =
        std::erase_if(unsaid.tokens, [&](int32_t token) { return ends(token, unsaid.written); });
    if (ended > 0) closed.most += unsaid.most;
  }
  std::erase_if(unsaid_, [](const Unsaid& unsaid) { return unsaid.tokens.empty(); });
}

// The tokens that begin with the cell.
void OpenBounds::open(int64_t cell, const ListedRow& row) {
  Unsaid unsaid{.tokens = {}, .written = 1, .most = closed_.most * row.tail};
  for (const int32_t token : tokens_.paths->tokens_of(cell)) {
    if (const auto known = row.of(token)) {
      open_.push_back({.token = token, .written = 1, .mass = closed_ * *known});
    } else {
      unsaid.tokens.push_back(token);
    }
  }
  if (!unsaid.tokens.empty()) unsaid_.push_back(std::move(unsaid));
}

void OpenBounds::pass(int64_t place, double written, const ListedRow& row) {
  if (!tokens_.paths) return;
  const bool inside = tokens_.written_Z.at(place) > 0;
  const int64_t cell = places_.cell_Z.at(place);
  // As in OpenTokens::pass.
  MassRange closed = inside ? MassRange{} : closed_ * written;
  follow(cell, closed);
  if (!inside && cell >= 0) open(cell, row);
  closed_ = closed;
  rescale();
}

void OpenBounds::rescale() {
  MassRange all = closed_;
  for (const Open& token : open_) all += token.mass;
  for (const Unsaid& unsaid : unsaid_) all.most += unsaid.most;
  const double sum = all.most, least = all.least * kLeastOpenShare;
  std::erase_if(open_, [&](const Open& token) { return token.mass.most < least; });
  std::erase_if(unsaid_, [&](const Unsaid& unsaid) { return unsaid.most < least; });
  if (!(sum > 0)) {
    closed_ = {1, 1};
    return;
  }
  closed_ = closed_ * (1 / sum);
  for (Open& token : open_) token.mass = token.mass * (1 / sum);
  for (Unsaid& unsaid : unsaid_) unsaid.most /= sum;
}

}  // namespace alambic
