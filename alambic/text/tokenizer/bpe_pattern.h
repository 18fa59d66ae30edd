#pragma once

namespace alambic {

/// What cuts text into words before byte-level BPE: the pattern of GPT-2, of Llama 3 (numbers by
/// three digits), or of Qwen (single digits).
enum class BpePattern { gpt2, llama3, qwen };

}  // namespace alambic
