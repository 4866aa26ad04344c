/* tests/unit/resource/test_columns.c - resource/columns.c, and the tables of the kinds */
#include "admit.h"

#define META ", metadata: {name: a, creationTimestamp: '2026-01-02T03:04:05Z'}"

/* "Name=cell|…" of the columns up to a priority. */
static void print_row(const struct kind *kind, const json_t *object, int priority, struct buf *out)
{
	for (size_t i = 0; i < kind->column_count; i++) {
		const struct column *column = &kind->columns[i];
		AUTO(auto_json) json_t *cell = column->cell(object, NOW + 200);
		AUTO(auto_free) char *text = json_is_string(cell) ? NULL : json_text(cell);

		if (column->priority <= priority)
			buf_addf(out, "%s%s=%s", buf_len(out) == 0 ? "" : "|", column->name,
				 text == NULL ? json_string_value(cell) : text);
	}
}

static void test_rows(void **state)
{
	static const struct {
		const char *kind, *object;
		int priority;
		const char *row;
	} cases[] = {
		{"ns", "{status: {phase: Active}}", 0, "Status=Active"},
		{"ns", "{}", 0, "Status=null"},
		{"secret", "{type: Opaque, data: {a: '', b: ''}}", 0, "Type=Opaque|Data=2"},
		{"secret", "{type: Opaque}", 0, "Type=Opaque|Data=0"},
		{"cm", "{data: {a: b}, binaryData: {c: ''}}", 0, "Data=2"},
		{"svc",
		 "{a: b" META ", spec: {type: ClusterIP, clusterIP: None, ports: [{port: 80, "
		 "protocol: TCP}]}}",
		 1,
		 "Type=ClusterIP|Cluster-IP=None|External-IP=<none>|Port(s)=80/TCP|Age=3m20s|"
		 "Selector=<none>"},
		{"svc",
		 "{a: b" META ", spec: {type: LoadBalancer, clusterIP: 10.0.0.1, selector: {app: "
		 "x, v: y}, ports: [{port: 80, nodePort: 30080, protocol: TCP}, {port: 53, "
		 "protocol: UDP}]}}",
		 1,
		 "Type=LoadBalancer|Cluster-IP=10.0.0.1|External-IP=<pending>|"
		 "Port(s)=80:30080/TCP,53/UDP|Age=3m20s|Selector=app=x,v=y"},
		{"svc", "{spec: {type: ExternalName, externalName: a.example}}", 0,
		 "Type=ExternalName|Cluster-IP=<none>|External-IP=a.example|Port(s)=<none>|"
		 "Age=<unknown>"},
		{"svc", "{spec: {type: ClusterIP, externalIPs: [192.0.2.1, 192.0.2.2]}}", 0,
		 "Type=ClusterIP|Cluster-IP=<none>|External-IP=192.0.2.1,192.0.2.2|Port(s)=<none>|"
		 "Age=<unknown>"},
		{"endpointslice",
		 "{addressType: IPv4, ports: [{port: 80}], endpoints: [{addresses: [192.0.2.1]}, "
		 "{addresses: [192.0.2.2, 192.0.2.3]}, {addresses: [192.0.2.4]}]}",
		 0,
		 "AddressType=IPv4|Ports=80|Endpoints=192.0.2.1,192.0.2.2,192.0.2.3 + 1 more..."},
		{"endpointslice", "{addressType: IPv6}", 0,
		 "AddressType=IPv6|Ports=<unset>|Endpoints=<unset>"},
		{"ev",
		 "{type: Normal, reason: Bound, message: yes it is, count: 2, lastTimestamp: "
		 "'2026-01-02T03:06:05Z', involvedObject: {kind: Gateway, name: gw}, source: "
		 "{component: sallyport}}",
		 0, "Last Seen=80s|Type=Normal|Reason=Bound|Object=gateway/gw|Message=yes it is"},
		{"deploy",
		 "{spec: {replicas: 2}, status: {readyReplicas: 1, updatedReplicas: 2, "
		 "availableReplicas: 1}}",
		 0, "Ready=1/2|Up-to-date=2|Available=1"},
		{"gc",
		 "{a: b" META ", spec: {controllerName: a.b/c, description: words}, status: "
		 "{conditions: [{type: Accepted, status: 'True'}]}}",
		 1, "Controller=a.b/c|Accepted=True|Age=3m20s|Description=words"},
		{"gtw",
		 "{spec: {gatewayClassName: c}, status: {addresses: [{value: 192.0.2.1}, {value: "
		 "'::'}], conditions: [{type: Programmed, status: Unknown}]}}",
		 0, "Class=c|Address=192.0.2.1,::|Programmed=Unknown"},
		{"gtw", "{spec: {gatewayClassName: c}}", 0, "Class=c|Address=null|Programmed=null"},
		{"httproute", "{spec: {hostnames: [a.example, b.example]}}", 0,
		 "Hostnames=[\"a.example\",\"b.example\"]"},
		{"httproute", "{spec: {}}", 0, "Hostnames=null"},
		{"backend", "{status: {conditions: [{type: Accepted, reason: Invalid}]}}", 0,
		 "Status=Invalid"},
		{"ciss", "{status: {conditions: [{type: Ready, status: 'False', message: why}]}}",
		 0, "Ready=False"},
		{"iss", "{status: {conditions: [{type: Ready, status: 'False', message: why}]}}", 1,
		 "Ready=False|Status=why"},
		{"cert",
		 "{spec: {secretName: s, issuerRef: {name: i}}, status: {notAfter: "
		 "'2026-04-02T03:04:05Z', conditions: [{type: Ready, status: 'True', message: "
		 "fine}]}}",
		 1, "Ready=True|Secret=s|Issuer=i|Status=fine|Expiration=2026-04-02T03:04:05Z"},
		{"cr",
		 "{spec: {username: u, issuerRef: {name: i}}, status: {conditions: [{type: "
		 "Approved, status: 'True'}]}}",
		 0, "Approved=True|Denied=null|Ready=null|Issuer=i|Requester=u"},
		{"order", "{spec: {issuerRef: {name: i}}, status: {state: pending}}", 1,
		 "State=pending|Issuer=i|Reason=null"},
		{"challenge", "{spec: {dnsName: a}, status: {state: valid, reason: ok}}", 1,
		 "State=valid|Domain=a|Reason=ok"},
		{"tigerastatus",
		 "{status: {conditions: [{type: Available, status: 'True', lastTransitionTime: "
		 "'2026-01-02T03:04:05Z'}, {type: Progressing, status: 'False'}, {type: Degraded, "
		 "status: 'False'}]}}",
		 0, "Available=True|Progressing=False|Degraded=False|Since=3m20s"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO(auto_json) json_t *object = doc(cases[i].object);
		struct buf row;

		buf_init(&row, 4096);
		print_row(kind_by_word(sv_from(cases[i].kind)), object, cases[i].priority, &row);
		if (strcmp(buf_cstr(&row), cases[i].row) != 0)
			fail_msg("%s: %s\nshould be %s", cases[i].kind, buf_cstr(&row),
				 cases[i].row);
		buf_deinit(&row);
	}
}

/* Whatever an object holds, a table can be made of it. */
static void test_rows_of_anything(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{metadata: 1, spec: [], status: text, data: 7, type: {}, involvedObject: 1}",
		"{spec: {ports: {}, hostnames: [1, null], selector: [], externalIPs: [{}]}}",
		"{spec: {ports: [1, {port: x, protocol: []}], selector: {a: 1}}, ports: [null]}",
		"{status: {conditions: [1, {type: Ready}], addresses: [null, {value: 1}]}}",
		("{endpoints: [1, {addresses: {}}, {addresses: [null]}], metadata: "
		 "{creationTimestamp: never}}"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t k = 0; k < kind_count; k++) {
			AUTO(auto_json) json_t *object = doc(texts[i]);
			AUTO(auto_json) json_t *age = column_age.cell(object, NOW);
			struct buf row;

			buf_init(&row, 4096);
			print_row(&kinds[k], object, 1, &row);
			assert_false(row.spent);
			assert_true(json_is_string(age));
			buf_deinit(&row);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_rows_of_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
