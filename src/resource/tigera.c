/* resource/tigera.c - operator.tigera.io Installation, GatewayAPI, TigeraStatus
 *
 * A cluster's operator would act on the details; here they are taken and kept.
 */
#include "resource/columns.h"
#include "resource/rows.h"

/* ---- Installation ---- */

const char *const installation_names[] = {"default", "tigera-secure", "overlay", NULL};

static const struct schema_node cni_members[] = {
	TEXT("type", REQUIRED, WORDS("Calico", "GKE", "AmazonVPC", "AzureVNET")),
	ANY("ipam"),
	TEXT("binDir"),
	TEXT("confDir"),
	TEXT("installMode"),
	TEXT("specVersion"),
	END,
};

#define ON_OFF WORDS("Enabled", "Disabled")

static const struct schema_node network_members[] = {
	TEXT("bgp", ON_OFF),
	TEXT("bpfNetworkBootstrap", ON_OFF),
	TEXT("clusterRoutingMode"),
	TEXT("containerIPForwarding", ON_OFF),
	TEXT("hostPorts", ON_OFF),
	LIST("ipPools", any_item, .max = 25),
	TEXT("kubeProxyManagement", ON_OFF),
	TEXT("linuxDataplane", WORDS("Iptables", "BPF", "VPP", "Nftables")),
	TEXT("linuxPodInterfaceType"),
	COUNT("linuxPolicySetupTimeoutSeconds"),
	COUNT("mtu"),
	TEXT("multiInterfaceMode", WORDS("None", "Multus")),
	ANY("nodeAddressAutodetectionV4"),
	ANY("nodeAddressAutodetectionV6"),
	LIST("sysctl", any_item),
	TEXT("windowsDataplane", WORDS("HNS", "Disabled")),
	END,
};

static const struct schema_node installation_spec[] = {
	TEXT("variant", WORDS("Calico", "CalicoEnterprise", "TigeraSecureEnterprise")),
	TEXT("kubernetesProvider", WORDS("", "EKS", "GKE", "AKS", "OpenShift", "DockerEnterprise",
					 "RKE2", "TKG", "Kind")),
	TEXT("kubeletVolumePluginPath"),
	OBJECT("cni", cni_members),
	OBJECT("calicoNetwork", network_members),
	TEXT("registry"),
	TEXT("imagePath"),
	TEXT("imagePrefix"),
	TEXT("imagePullPolicy", WORDS("Always", "IfNotPresent", "Never")),
	LIST("imagePullSecrets", any_item),
	TEXT("flexVolumePath"),
	TEXT("nonPrivileged"),
	TEXT("fipsMode", ON_OFF),
	COUNT("nodeMetricsPort"),
	COUNT("typhaMetricsPort"),
	COUNT("controlPlaneReplicas"),
	MAP("controlPlaneNodeSelector", text_item),
	LIST("controlPlaneTolerations", any_item),
	LIST("serviceCIDRs", text_item),
	LIST("componentResources", any_item),
	LIST("tlsCipherSuites", any_item),
	TEXT("calicoLibHostPath"),
	TEXT("calicoRunHostPath"),
	ANY("azure"),
	ANY("calicoKubeControllersDeployment"),
	ANY("calicoNodeDaemonSet"),
	ANY("calicoNodeWindowsDaemonSet"),
	ANY("calicoWindowsUpgradeDaemonSet"),
	ANY("certificateManagement"),
	ANY("csiNodeDriverDaemonSet"),
	ANY("logging"),
	ANY("networkPolicy"),
	ANY("nodeUpdateStrategy"),
	ANY("proxy"),
	ANY("typhaAffinity"),
	ANY("typhaDeployment"),
	ANY("typhaPodDisruptionBudget"),
	ANY("windowsNodes"),
	END,
};

const struct schema_node installation_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", installation_spec),
	KIND_STATUS,
	END,
};

/* ---- GatewayAPI ---- */

const char *const gatewayapi_names[] = {"default", "tigera-secure", NULL};

static const struct schema_node config_ref_members[] = {
	TEXT("name", REQUIRED, .min = 1),
	TEXT("namespace", REQUIRED, .min = 1),
	END,
};

static const struct schema_node gatewayapi_spec[] = {
	TEXT("crdManagement", WORDS("Reconcile", "PreferExisting")),
	OBJECT("envoyGatewayConfigRef", config_ref_members),
	LIST("gatewayClasses", any_item, .max = 64),
	ANY("extensions"),
	ANY("gatewayCertgenJob"),
	ANY("gatewayControllerDeployment"),
	END,
};

const struct schema_node gatewayapi_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", gatewayapi_spec),
	KIND_STATUS,
	END,
};

/* ---- TigeraStatus ---- */

static const struct schema_node tigerastatus_spec[] = {END};

const struct schema_node tigerastatus_schema[] = {
	KIND_MEMBERS,
	OBJECT("spec", tigerastatus_spec),
	KIND_STATUS,
	END,
};

CELL_CONDITION(tigera_available, "Available", "status")
CELL_CONDITION(tigera_progressing, "Progressing", "status")
CELL_CONDITION(tigera_degraded, "Degraded", "status")

static json_t *tigera_since(const json_t *object, int64_t now)
{
	return cell_condition_since(object, "Available", now);
}

const struct column tigerastatus_columns[4] = {
	{.name = "Available", .type = "string", .cell = tigera_available},
	{.name = "Progressing", .type = "string", .cell = tigera_progressing},
	{.name = "Degraded", .type = "string", .cell = tigera_degraded},
	{.name = "Since", .type = "string", .cell = tigera_since},
};
