#include "alambic/base/launch_environment.h"

#include <algorithm>
#include <charconv>

#include "alambic/base/error.h"

namespace alambic {
namespace {

constexpr int64_t default_port = 29500;  // torchrun's
constexpr int64_t max_ranks = 1'000'000;

/// Names of one launcher's variables; "": it has none.
struct Names {
  const char *source, *rank, *size, *local_rank, *local_size;
};

constexpr Names all_names[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"},
    {"Slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", ""},
    {"MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE"},
    {"MPI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"},
};

struct Reader {
  const Variables& variable;

  std::optional<std::string> text(const std::string& name) const {
    return name.empty() ? std::nullopt : variable(name);
  }

  std::optional<int64_t> number(const std::string& name, int64_t min, int64_t max) const {
    const auto value = text(name);
    if (!value) return std::nullopt;
    int64_t number = 0;
    const char* end = value->data() + value->size();
    const auto read = std::from_chars(value->data(), end, number);
    if (read.ec == std::errc() && read.ptr == end && number >= min && number <= max) return number;
    throw input_error("the environment variable {} is \"{}\"; expected a number from {} to {}",
                      name, *value, min, max)
        .with_hint("unset it to run as one process");
  }
};

void check_place(const Names& names, const LaunchEnvironment& place) {
  const auto refuse = [&](const char* what, int64_t rank, const char* whole, int64_t size) {
    throw input_error("{} says {} {} of {} {}", place.source, what, rank, whole, size)
        .with_hint("ranks count from 0 to the size less one; unset the variables to run alone");
  };
  if (place.rank >= place.size) refuse(names.rank, place.rank, names.size, place.size);
  if (place.local_rank >= place.local_size) {
    refuse("local rank", place.local_rank, "local processes", place.local_size);
  }
  if (place.local_size > place.size) {
    throw input_error("{} says {} local processes of {} {}", place.source, place.local_size,
                      names.size, place.size)
        .with_hint("a machine has some of all processes; unset the variables to run alone");
  }
}

// Where the ranks meet, from what is told of it.
void find_address(const Reader& read, LaunchEnvironment& place) {
  const auto host = read.text("MASTER_ADDR");
  const auto nodes = read.text("SLURM_STEP_NODELIST");
  const bool slurm = place.source == "Slurm";
  if (host) {
    place.host = *host;
  } else if (slurm && nodes) {
    place.host = first_slurm_host(*nodes);
  } else if (place.local_size < place.size) {
    throw input_error(
        "{} started {} processes, {} of them here, and MASTER_ADDR does not say "
        "where they meet",
        place.source, place.size, place.local_size)
        .with_hint("set MASTER_ADDR to the name of rank 0's machine, and MASTER_PORT");
  }
  place.port = default_port;
  if (const auto job = read.number("SLURM_JOB_ID", 0, INT64_MAX); slurm && job) {
    place.port = 10000 + *job % 50000;  // jobs that share a machine do not meet
  }
  if (const auto port = read.number("MASTER_PORT", 1, 65535)) place.port = *port;
}

}  // namespace

std::string first_slurm_host(const std::string& hosts) {
  std::string host;
  bool skips = false;  // the rest of a list in brackets
  bool inside = false;
  for (const char c : hosts) {
    if (c == ',' && !inside) break;
    if (c == '[') {
      inside = true;
      skips = false;
    } else if (c == ']') {
      inside = skips = false;
    } else if (inside && (c == ',' || c == '-')) {
      skips = true;
    } else if (!skips) {
      host += c;
    }
  }
  return host;
}

LaunchEnvironment launch_environment(const Variables& variable) {
  const Reader read{variable};
  for (const Names& names : all_names) {
    const auto size = read.number(names.size, 1, max_ranks);
    // A batch script of Slurm, which is one process, has a rank too.
    const bool step = size || names.source != std::string_view("Slurm");
    const auto rank = step ? read.number(names.rank, 0, max_ranks) : std::nullopt;
    if (!size && !rank) continue;
    if (!size || !rank) {
      throw input_error("the environment variable {} is set and {} is not",
                        size ? names.size : names.rank, size ? names.rank : names.size)
          .with_hint("a launcher sets both; unset them to run as one process");
    }
    LaunchEnvironment place{.rank = *rank, .size = *size, .source = names.source};
    place.local_rank = read.number(names.local_rank, 0, max_ranks).value_or(*rank);
    place.local_size = read.number(names.local_size, 1, max_ranks).value_or(*size);
    if (place.source == "Slurm") {
      // "4(x2),3": tasks of each machine; those of the first stand for all.
      const std::string tasks = read.text("SLURM_STEP_TASKS_PER_NODE").value_or("");
      const int64_t here = std::strtoll(tasks.c_str(), nullptr, 10);
      place.local_size = std::max(here > 0 ? here : *size, place.local_rank + 1);
    }
    check_place(names, place);
    find_address(read, place);
    place.attempt =
        read.number("ALAMBIC_ATTEMPT", 0, INT64_MAX)
            .value_or(read.number("TORCHELASTIC_RESTART_COUNT", 0, INT64_MAX).value_or(0));
    if (read.text("ALAMBIC_ATTEMPT")) place.source = "alambic launch";
    place.agent_store = read.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
    return place;
  }
  return {};
}

}  // namespace alambic
