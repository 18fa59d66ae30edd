#pragma once

#include <map>
#include <memory>
#include <vector>

#include "alambic/objective/listed_tokens.h"
#include "alambic/objective/piece_places.h"

namespace alambic {

/// A number between these two; known where they are one.
struct MassRange {
  double least = 0, most = 0;

  MassRange& operator+=(const MassRange& other) {
    least += other.least;
    most += other.most;
    return *this;
  }
  MassRange operator*(double factor) const { return {least * factor, most * factor}; }
};

/// The longer tokens that a text may be in the middle of (open_tokens.h), of a teacher that has
/// said the probabilities of some: known masses are carried on as there; all that was not said of a
/// place together has at most the tail's.
class OpenBounds {
 public:
  /// All must outlive this.
  OpenBounds(const PiecePlaces& places, const PieceTokens& tokens)
      : places_(places), tokens_(tokens) {}

  /// Masses before a place, of one unknown scale.
  struct Masses {
    MassRange closed;                   ///< it wrote the cells so far
    std::map<int32_t, MassRange> next;  ///< by the cell that known tokens go on with
    std::map<int32_t, double> maybe;    ///< at most, by the cell that others go on with
    double unknown = 0;                 ///< all of those, at most
  };
  /// Forgets all where the text before the place is not the place's.
  Masses before(int64_t place);
  /// The text has written the place's cell; `written`: the probability of the tokens that did.
  void pass(int64_t place, double written, const ListedRow& row);

 private:
  struct Open {
    int32_t token;
    int64_t written;  // cells of its path
    MassRange mass;
  };
  // Tokens that one place has not said.
  struct Unsaid {
    std::vector<int32_t> tokens;
    int64_t written;
    double most;
  };
  void open(int64_t cell, const ListedRow& row);
  void follow(int64_t cell, MassRange& closed);
  void rescale();

  const PiecePlaces& places_;
  const PieceTokens& tokens_;
  MassRange closed_{1, 1};
  std::vector<Open> open_;
  std::vector<Unsaid> unsaid_;
};

}  // namespace alambic
