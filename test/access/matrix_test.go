package access

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// matrix is who may write what, and see what, in a namespace where they have the role
// that the column names. The stranger is the admin of another namespace.
//
//	yes     done
//	-       refused by RBAC: no role says so
//	policy  refused by a policy of the API server, although a role says so
const matrix = `
                                       owner of               Kubernetes' own                       Lanyard's own
KIND               VERB             client    resource  view  edit  admin  cluster-admin  platform  controller  issuer  STRANGER

OAuthClient        get+list         yes       yes       yes   yes   yes    yes            yes       yes         yes     -
OAuthClient        create           yes       -         -     yes   yes    yes            yes       -           -       -
OAuthClient        update           yes       -         -     yes   yes    yes            yes       -           -       -
OAuthClient        patch            yes       -         -     yes   yes    yes            yes       -           -       -
OAuthClient        apply            yes       -         -     yes   yes    yes            yes       -           -       -
OAuthClient        delete           yes       -         -     yes   yes    yes            yes       -           -       -
OAuthClient        deletecollection yes       -         -     yes   yes    yes            yes       -           -       -
OAuthClient        update/status    -         -         -     -     -      policy         -         -           -       -
OAuthClient        patch/status     -         -         -     -     -      policy         -         yes         -       -
OAuthClient        apply/status     -         -         -     -     -      policy         -         yes         -       -

ClientCertificate  get+list         yes       yes       yes   yes   yes    yes            yes       yes         yes     -
ClientCertificate  create           yes       -         -     yes   yes    yes            yes       -           -       -
ClientCertificate  update           yes       -         -     yes   yes    yes            yes       -           -       -
ClientCertificate  patch            yes       -         -     yes   yes    yes            yes       -           -       -
ClientCertificate  apply            yes       -         -     yes   yes    yes            yes       -           -       -
ClientCertificate  delete           yes       -         -     yes   yes    yes            yes       -           -       -
ClientCertificate  deletecollection yes       -         -     yes   yes    yes            yes       -           -       -
ClientCertificate  update/status    -         -         -     -     -      policy         -         yes         -       -
ClientCertificate  patch/status     -         -         -     -     -      policy         -         -           -       -
ClientCertificate  apply/status     -         -         -     -     -      policy         -         -           -       -

ProtectedResource  get+list         yes       yes       yes   yes   yes    yes            yes       yes         yes     -
ProtectedResource  create           -         yes       -     -     yes    yes            yes       -           -       -
ProtectedResource  update           -         yes       -     -     yes    yes            yes       -           -       -
ProtectedResource  patch            -         yes       -     -     yes    yes            yes       -           -       -
ProtectedResource  apply            -         yes       -     -     yes    yes            yes       -           -       -
ProtectedResource  delete           -         yes       -     -     yes    yes            yes       -           -       -
ProtectedResource  deletecollection -         yes       -     -     yes    yes            yes       -           -       -
ProtectedResource  update/status    -         -         -     -     -      policy         -         -           -       -
ProtectedResource  patch/status     -         -         -     -     -      policy         -         yes         -       -
ProtectedResource  apply/status     -         -         -     -     -      policy         -         yes         -       -

AppRole            get+list         yes       yes       yes   yes   yes    yes            yes       yes         yes     -
AppRole            create           -         yes       -     -     yes    yes            yes       -           -       -
AppRole            update           -         yes       -     -     yes    yes            yes       -           -       -
AppRole            patch            -         yes       -     -     yes    yes            yes       -           -       -
AppRole            apply            -         yes       -     -     yes    yes            yes       -           -       -
AppRole            delete           -         yes       -     -     yes    yes            yes       -           -       -
AppRole            deletecollection -         yes       -     -     yes    yes            yes       -           -       -
AppRole            update/status    -         -         -     -     -      policy         -         -           -       -
AppRole            patch/status     -         -         -     -     -      policy         -         yes         -       -
AppRole            apply/status     -         -         -     -     -      policy         -         yes         -       -

AppRoleAssignment  get+list         yes       yes       yes   yes   yes    yes            yes       yes         yes     -
AppRoleAssignment  create           -         yes       -     -     yes    yes            yes       -           -       -
AppRoleAssignment  update           -         yes       -     -     yes    yes            yes       -           -       -
AppRoleAssignment  patch            -         yes       -     -     yes    yes            yes       -           -       -
AppRoleAssignment  apply            -         yes       -     -     yes    yes            yes       -           -       -
AppRoleAssignment  delete           -         yes       -     -     yes    yes            yes       -           -       -
AppRoleAssignment  deletecollection -         yes       -     -     yes    yes            yes       -           -       -
AppRoleAssignment  update/status    -         -         -     -     -      policy         -         -           -       -
AppRoleAssignment  patch/status     -         -         -     -     -      policy         -         yes         -       -
AppRoleAssignment  apply/status     -         -         -     -     -      policy         -         yes         -       -

TokenRevocation    get+list         -         -         yes   yes   yes    yes            yes       -           -       -
TokenRevocation    create           -         -         -     -     -      yes            yes       -           -       -
TokenRevocation    update           -         -         -     -     -      yes            yes       -           -       -
TokenRevocation    patch            -         -         -     -     -      yes            yes       -           -       -
TokenRevocation    apply            -         -         -     -     -      yes            yes       -           -       -
TokenRevocation    delete           -         -         -     -     -      yes            yes       -           -       -
TokenRevocation    deletecollection -         -         -     -     -      yes            yes       -           -       -
`

// roles are the ClusterRoles of the matrix's columns; Lanyard's programs have their own.
var roles = map[string]string{
	"client": "lanyard-client-owner", "resource": "lanyard-resource-owner", "platform": "lanyard-admin",
	"view": "view", "edit": "edit", "admin": "admin", "cluster-admin": "cluster-admin", "STRANGER": "admin",
}

func TestAccessMatrix(t *testing.T) {
	ns := namespace(t)
	columns, rows := readMatrix(t)
	people := map[string]client.Client{
		"controller": env.ClientOf(t, env.As(t, testenv.ControllerUser, testenv.ControllerGroups()...)),
		"issuer":     env.ClientOf(t, env.As(t, "system:serviceaccount:lanyard-system:lanyard-issuer", testenv.ControllerGroups()...)),
	}
	for _, column := range columns {
		if people[column] != nil {
			continue
		}
		where := ns
		switch column {
		case "platform", "cluster-admin":
			where = "" // everywhere
		case "STRANGER":
			where = namespace(t)
		}
		people[column] = owner(t, "matrix-"+strings.ToLower(column), roles[column], where)
	}
	for _, row := range rows {
		kind, way := row[0], row[1]
		t.Run(kind+" "+way, func(t *testing.T) {
			for i, want := range row[2:] {
				if got := outcome(t, people[columns[i]], way, kind, ns); got != want {
					t.Errorf("%s: %s; want %s", columns[i], got, want)
				}
			}
		})
	}
}

// readMatrix returns the names of the columns, and the rows with kind and verb first.
func readMatrix(t *testing.T) (columns []string, rows [][]string) {
	t.Helper()
	for line := range strings.Lines(matrix) {
		cells := strings.Fields(line)
		switch {
		case len(cells) == 0 || strings.HasPrefix(line, " "): // the line above the names only groups them
		case cells[0] == "KIND":
			columns = cells[2:]
		case len(cells) != len(columns)+2:
			t.Fatalf("this row has not one cell for each of %v: %s", columns, line)
		default:
			rows = append(rows, cells)
		}
	}
	return columns, rows
}

// outcome has a person do one thing, with an object of its own, and says as the matrix
// does what became of it.
func outcome(t *testing.T, by client.Client, way, kind, ns string) string {
	t.Helper()
	o := harmless(kind, ns)
	if way != "create" && way != "apply" {
		create(t, o)
	}
	err := do(t, by, way, o)
	switch {
	case err == nil:
		return "yes"
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "ValidatingAdmissionPolicy"):
		return "policy"
	case apierrors.IsForbidden(err):
		return "-"
	}
	return err.Error()
}

// count makes each harmless object another one.
var count = func() func() int {
	n := 0
	return func() int { n++; return n }
}()

// harmless is an object that is in nobody's way.
func harmless(kind, ns string) *unstructured.Unstructured {
	n := count()
	name := fmt.Sprintf("x%d", n)
	o := object(kind, ns, name, map[string]spec{
		"OAuthClient":       {"authentication": spec{"serviceAccounts": []any{spec{"name": "default"}}}},
		"ClientCertificate": {"clientRef": spec{"name": name}, "certificateRef": spec{"name": name}},
		"ProtectedResource": {"identifier": fmt.Sprintf("api://%s/%s", ns, name)},
		"AppRole":           {"resourceRef": spec{"name": "orders"}, "value": name},
		"AppRoleAssignment": {"roleRef": spec{"name": "orders-read"}, "clientRef": spec{"namespace": ns, "name": name}, "decision": "Approved"},
		"TokenRevocation": {
			"expiresAt": "2027-01-01T00:00:00Z",
			"tokens":    []any{spec{"clientID": ns + "/" + name, "jti": name, "expiresAt": "2027-01-01T00:00:00Z"}},
		},
	}[kind])
	o.SetLabels(map[string]string{"name": name}) // by which deletecollection finds this one
	return o
}
