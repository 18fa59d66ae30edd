#include "alambic/selftest/property.h"

#include <fmt/format.h>

#include <cmath>
#include <exception>

#include "alambic/base/error.h"
#include "alambic/base/stopwatch.h"

namespace alambic::selftest {

void Deviation::add(double found, double allowed, const std::string& place) {
  const double here = found == 0 ? 0 : found / allowed;
  const double counted = std::isnan(here) ? INFINITY : here;
  if (counted <= share) return;
  share = counted;
  where = fmt::format("{}: off by {:.2g}, allowed {:.2g}", place, found, allowed);
}

void Deviation::compare(double found, double expected, double relative, const std::string& place) {
  add(std::abs(found - expected), relative * std::abs(expected), place);
}

Verdict judge(const Property& property) {
  const Stopwatch watch;
  Deviation worst;
  try {
    property.check(worst);
  } catch (const Error& error) {
    if (error.exit() == Exit::environment) throw;
    worst.expect(false, error.what());
  } catch (const std::exception& error) {
    worst.expect(false, error.what());
  }
  return {.holds = worst.holds(), .where = worst.where, .seconds = watch.seconds()};
}

}  // namespace alambic::selftest
