#include "alambic/text/tokenizer/split_behavior.h"

#include <algorithm>
#include "alambic/base/json_view.h"

namespace alambic {
namespace {

struct Part {
  Range range;
  bool is_match;
};

std::vector<Part> cover(size_t size, const std::vector<Range>& matches, bool invert) {
  std::vector<Part> parts;
  size_t done = 0;
  for (const Range& match : matches) {
    if (done < match.begin) parts.push_back({{done, match.begin}, invert});
    if (match.begin < match.end) parts.push_back({match, !invert});
    done = match.end;
  }
  if (done < size) parts.push_back({{done, size}, invert});
  return parts;
}

// Every match joins its neighbor on the left, unless that is a match too.
std::vector<Range> merge_with_previous(const std::vector<Part>& parts) {
  std::vector<Range> pieces;
  bool previous = false;
  for (const Part& part : parts) {
    if (part.is_match && !previous && !pieces.empty()) {
      pieces.back().end = part.range.end;
    } else {
      pieces.push_back(part.range);
    }
    previous = part.is_match;
  }
  return pieces;
}

std::vector<Range> merge_with_next(const std::vector<Part>& parts) {
  std::vector<Range> pieces;
  bool previous = false;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->is_match && !previous && !pieces.empty()) {
      pieces.back().begin = part->range.begin;
    } else {
      pieces.push_back(part->range);
    }
    previous = part->is_match;
  }
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<Range> merge_equals(const std::vector<Part>& parts) {
  std::vector<Range> pieces;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && parts[i].is_match == parts[i - 1].is_match) {
      pieces.back().end = parts[i].range.end;
    } else {
      pieces.push_back(parts[i].range);
    }
  }
  return pieces;
}

}  // namespace

SplitBehavior read_split_behavior(const JsonView& json) {
  const std::string_view name = json.string();
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  throw json.unknown({"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"});
}

std::vector<Range> split(size_t size, const std::vector<Range>& matches, SplitBehavior behavior,
                         bool invert) {
  const std::vector<Part> parts = cover(size, matches, invert);
  if (behavior == SplitBehavior::merged_with_previous) return merge_with_previous(parts);
  if (behavior == SplitBehavior::merged_with_next) return merge_with_next(parts);
  if (behavior == SplitBehavior::contiguous) return merge_equals(parts);
  std::vector<Range> pieces;
  pieces.reserve(parts.size());
  for (const Part& part : parts) {
    if (!part.is_match || behavior == SplitBehavior::isolated) pieces.push_back(part.range);
  }
  return pieces;
}

}  // namespace alambic
