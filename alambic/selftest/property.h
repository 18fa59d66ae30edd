// A property: something that must hold of the numbers, and the bug that it prevents. Written once,
// run by `alambic selftest` on the user's machine and by the tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace alambic::selftest {

/// The worst of many deviations, each as a share of what is allowed: the property holds when none
/// is above 1. A NaN is above everything.
struct Deviation {
  double share = 0;
  std::string where;  ///< the worst case, with the number found and what was allowed

  void add(double found, double allowed, const std::string& where);
  /// |found − expected| against `relative` of |expected|.
  void compare(double found, double expected, double relative, const std::string& where);
  /// A claim that is true or false.
  void expect(bool holds, const std::string& where) { add(holds ? 0 : 2, 1, where); }
  bool holds() const { return share <= 1; }
};

struct Property {
  std::string id;        ///< an identifier: "TheChunkSizeChangesNothing"
  std::string says;      ///< for people: "the chunk size changes nothing"
  std::string prevents;  ///< the bug, and who had it
  std::function<void(Deviation&)> check;
};

struct Verdict {
  bool holds = false;
  std::string where;  ///< the worst case, or what was thrown
  double seconds = 0;
};

/// Runs the property; one that throws does not hold. Errors of the environment (no folder for
/// temporary files) are passed on.
Verdict judge(const Property& property);

}  // namespace alambic::selftest
