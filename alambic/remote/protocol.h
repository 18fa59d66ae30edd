#pragma once

#include <string>

namespace alambic {

/// A kind of server, by how it is spoken to (remote/wire/).
enum class Protocol { automatic, vllm, llamacpp, sglang, echo, alambic, chat };

/// Its name on the command line.
std::string protocol_name(Protocol protocol);

}  // namespace alambic
