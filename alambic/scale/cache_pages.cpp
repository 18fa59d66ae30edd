#include "alambic/scale/cache_pages.h"

#include <algorithm>
#include <cmath>

namespace alambic {

double cached_tokens(double slots, double shared, double prompt, double completion) {
  constexpr double page = cache_page;
  const double all = page * std::ceil((prompt + completion + passes_per_read) / page);
  const double whole = page * std::floor(prompt / page);  // pages that alike prompts share
  const double used = slots * (all - whole) + std::ceil(slots / shared) * whole;
  return std::min(used + slots * all / cache_steps, slots * all);
}

}  // namespace alambic
