#include "sweep/proposal.hpp"

#include <gtest/gtest.h>

namespace fleet {
namespace {

TEST(JobScript, asks_for_gpus_only_where_the_sweep_does) {
  Sweep sweep{.name = "sweep"};
  sweep.cells.resize(2);
  const Proposal proposal{.cells = 2};
  const std::string_view request = "#SBATCH --gpus-per-node=";
  EXPECT_EQ(job_script(sweep, proposal, "a.toml", "env.sh").find(request), std::string::npos);
  sweep.cells[1].facts.gpu = true;
  const std::string script = job_script(sweep, proposal, "a.toml", "env.sh");
  EXPECT_LT(script.find(request), script.find("\n\n")) << "among the options, which end at the first command";
}

}  // namespace
}  // namespace fleet
