#pragma once

namespace alambic {

/// Patterns that cut text into words before byte-level BPE: GPT-2's, Llama 3's (numbers by three
/// digits), Qwen's (single digits).
enum class BpePattern { gpt2, llama3, qwen };

}  // namespace alambic
