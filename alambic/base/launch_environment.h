// Place of this process in a job of several: what torchrun, Slurm, MPI, Kubeflow's trainer and
// `alambic launch` tell the processes that they start.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "alambic/base/environment.h"

namespace alambic {

struct LaunchEnvironment {
  int64_t rank = 0, size = 1;              ///< of all processes
  int64_t local_rank = 0, local_size = 1;  ///< of those on this machine
  std::string host = "127.0.0.1";          ///< where the ranks meet
  int64_t port = 0;                        ///< 0: alone
  int64_t attempt = 0;                     ///< restarts of the whole job before this one
  bool agent_store = false;  ///< the launcher itself serves the meeting place, not rank 0
  std::string source;        ///< who told, for messages: "torchrun", "Slurm", "MPI"; empty: alone
};

/// The value of an environment variable; nothing where it is not set or empty.
using Variables = std::function<std::optional<std::string>(const std::string& name)>;

/// The first of these that is complete: RANK and WORLD_SIZE with LOCAL_RANK, LOCAL_WORLD_SIZE,
/// MASTER_ADDR, MASTER_PORT (torchrun and most others); SLURM_STEP_NUM_TASKS with SLURM_PROCID,
/// SLURM_LOCALID, SLURM_STEP_NODELIST (of a job step alone: a batch script is one process);
/// OMPI_COMM_WORLD_* or PMI_RANK and PMI_SIZE. Else alone. MASTER_ADDR and MASTER_PORT hold for
/// all. Input errors: half of a pair, no number, a rank outside of the job, several machines
/// without an address.
LaunchEnvironment launch_environment(const Variables& variable = environment_variable);

/// First host of a list as Slurm writes it: "n[03-05,9],m1" is "n03".
std::string first_slurm_host(const std::string& hosts);

}  // namespace alambic
