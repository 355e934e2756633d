// Mesa's software draws by code that it has LLVM compile.
#pragma once

namespace fleet::simulation {

/// Makes the machine's own processor known to the LLVM that Mesa has loaded, to be called before a context is created.
/// Needed where another library exports functions of an LLVM of its own, as LibTorch 2.6 of Debian 13 does: Mesa's
/// calls reach those, and its own LLVM, which then knows of no processor, cannot compile, of which Mesa dies.
void prepare_llvm_of_mesa();

}  // namespace fleet::simulation
