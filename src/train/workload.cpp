#include "train/workload.hpp"

#include "base/error.hpp"

namespace fleet {

std::unique_ptr<Robot> Workload::make_finetune_robot() {
  throw Error("this workload holds no data back that a merged policy could be finetuned on");
}

}  // namespace fleet
