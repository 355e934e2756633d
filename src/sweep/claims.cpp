#include "sweep/claims.hpp"

#include "base/hash.hpp"

namespace fleet {
namespace {

std::int64_t byte_of(const std::string& id) {
  return static_cast<std::int64_t>(Hash().add(id).value() >> 2U);  // below kPresenceByte
}

}  // namespace

bool CellClaims::take(const std::string& id) const {
  return file_.try_lock(byte_of(id));
}

void CellClaims::release(const std::string& id) const {
  file_.unlock(byte_of(id));
}

}  // namespace fleet
