#pragma once

#include <functional>
#include <string>

#include "alambic/jobs/serve_options.h"

namespace alambic::jobs {

/// Serves the options' models until the process is told to stop (SIGTERM, SIGINT), and finishes the
/// answers that are being written. `on_ready` gets the address, "http://127.0.0.1:8000". Input
/// errors: those of loading the models, two of one name, an open address without a key.
void serve(const ServeOptions& options, const std::function<void(const std::string&)>& on_ready);

}  // namespace alambic::jobs
