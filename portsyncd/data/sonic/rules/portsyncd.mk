# SPDX-License-Identifier: Apache-2.0
# portsyncd for docker-orchagent, in place of sonic-swss's.

PORTSYNCD_VERSION = 0.1.0
PORTSYNCD_REVISION = 1
PORTSYNCD_SOURCE = portsync_$(PORTSYNCD_VERSION).orig.tar.gz

PORTSYNCD = portsyncd-swss_$(PORTSYNCD_VERSION)-$(PORTSYNCD_REVISION)_$(CONFIGURED_ARCH).deb
$(PORTSYNCD)_SRC_PATH = $(SRC_PATH)/portsyncd
$(PORTSYNCD)_DEPENDS += $(LIBNL3_DEV) $(LIBNL_ROUTE3_DEV)
$(PORTSYNCD)_RDEPENDS += $(LIBNL3) $(LIBNL_ROUTE3) $(SWSS)
SONIC_MAKE_DEBS += $(PORTSYNCD)

PORTSYNCD_DBG = portsyncd-swss-dbgsym_$(PORTSYNCD_VERSION)-$(PORTSYNCD_REVISION)_$(CONFIGURED_ARCH).deb
$(PORTSYNCD_DBG)_DEPENDS += $(PORTSYNCD)
$(PORTSYNCD_DBG)_RDEPENDS += $(PORTSYNCD)
$(eval $(call add_derived_package,$(PORTSYNCD),$(PORTSYNCD_DBG)))

export PORTSYNCD_VERSION PORTSYNCD_SOURCE PORTSYNCD PORTSYNCD_DBG

# Dockerfile.j2 installs the packages that its image depends on; docker-sonic-vs takes it from docker-orchagent.
$(DOCKER_ORCHAGENT)_DEPENDS += $(PORTSYNCD)
$(DOCKER_ORCHAGENT)_DBG_DEPENDS += $(PORTSYNCD_DBG)
